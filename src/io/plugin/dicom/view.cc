// SPDX-License-Identifier: Apache-2.0
// view.cc -- io_dicom_view: slope and intercept, look-up tables and windows of a frame. Enhanced files give them for
// each frame (Per-Frame Functional Groups) or for all (Shared Functional Groups); else they stand in the data set.
#include "io/plugin/dicom/file.hpp"

DcmItem *item_of(DcmItem *in, const DcmTagKey &sequence, long number)
{
    DcmItem *found = nullptr;
    return in && in->findAndGetSequenceItem(sequence, found, number).good() ? found : nullptr;
}

namespace {

// The first item of the sequence in the frame's functional group, or else in the shared one; null: in neither.
DcmItem *group_of(io_dicom_file *f, std::int64_t frame, const DcmTagKey &sequence)
{
    DcmItem *groups = item_of(&f->data, DCM_PerFrameFunctionalGroupsSequence, static_cast<long>(frame));
    DcmItem *own = item_of(groups, sequence, 0);
    return own ? own : item_of(item_of(&f->data, DCM_SharedFunctionalGroupsSequence, 0), sequence, 0);
}

const char *keep(io_dicom_file *f, std::string text)
{
    f->view_texts.push_back(std::move(text));
    return f->view_texts.back().c_str();
}

// A value of an element with several.
std::string part_of(DcmItem *item, const DcmTagKey &tag, unsigned long i)
{
    OFString v;
    return item->findAndGetOFString(tag, v, i).good() ? std::string(v.c_str()) : "";
}

// Whether a value of an element is there; *broken: it is, and is no number. A window without centre or width ends the
// list.
bool window_number(DcmItem *item, const DcmTagKey &tag, unsigned long i, double *out, std::string *broken)
{
    const std::string text = trimmed(part_of(item, tag, i));
    if (text.empty()) return false;
    if (broken->empty() && !read_decimal(text, out)) *broken = name_of(tag) + " is '" + text + "'";
    return true;
}

void read_windows(io_dicom_file *f, DcmItem *item)
{
    for (unsigned long i = 0; i < 1024; i++) {
        io_dicom_window w{};
        std::string broken;
        if (!window_number(item, DCM_WindowCenter, i, &w.centre, &broken) ||
            !window_number(item, DCM_WindowWidth, i, &w.width, &broken)) return;
        w.broken = keep(f, broken);
        w.name = keep(f, part_of(item, DCM_WindowCenterWidthExplanation, i));
        f->windows.push_back(w);
    }
}

// Slope or intercept.
double rescale_number(DcmItem *item, const DcmTagKey &tag)
{
    double v = 0;
    const std::string text = text_of(item, tag);
    if (!read_decimal(text, &v))
        throw failure(PEFT_E_FORMAT, name_of(tag) + " is '" + text + "'; expected one decimal number, such as 0.5");
    return v;
}

// As in pydicom both elements are needed, and one alone is not used.
void read_rescale(DcmItem *item, io_dicom_view *out)
{
    out->rescaled = item->tagExists(DCM_RescaleSlope) && item->tagExists(DCM_RescaleIntercept);
    if (!out->rescaled) return;
    out->slope = rescale_number(item, DCM_RescaleSlope);
    out->intercept = rescale_number(item, DCM_RescaleIntercept);
}

bool has_value(DcmItem *item, const DcmTagKey &tag)
{
    DcmElement *e = nullptr;
    return item->findAndGetElement(tag, e).good() && e && e->getLength();
}

// Without descriptor or entries in the first item the sequence is not used, as in pydicom. A broken table has 0
// entries.
void read_tables(io_dicom_file *f, bool is_signed, io_dicom_view *out)
{
    for (long i = 0; i < 1024; i++) {
        DcmItem *item = item_of(&f->data, DCM_VOILUTSequence, i);
        if (!item) return;
        if (i == 0 && (!has_value(item, DCM_LUTDescriptor) || !has_value(item, DCM_LUTData))) {
            out->ignored = true;
            return;
        }
        io_dicom_table t = table_of(item, DCM_LUTDescriptor, DCM_LUTData, is_signed, f->view_entries);
        t.name = keep(f, text_of(item, DCM_LUTExplanation));
        f->tables.push_back(t);
    }
}

} // namespace

void read_view(io_dicom_file *f, std::int64_t frame, io_dicom_view *out)
{
    f->view_texts.clear();
    f->view_entries.clear();
    f->windows.clear();
    f->tables.clear();
    *out = io_dicom_view{};
    DcmItem *item = group_of(f, frame, DCM_PixelValueTransformationSequence);
    if (!item) item = &f->data;
    read_rescale(item, out);
    item = item_of(&f->data, DCM_ModalityLUTSequence, 0);
    if (item) {
        out->modality = table_of(item, DCM_LUTDescriptor, DCM_LUTData, f->info.is_signed, f->view_entries);
        if (!out->modality.entries)
            throw failure(PEFT_E_FORMAT, "the Modality LUT is broken: expected a LUT Descriptor of three numbers, and "
                                         "as many entries as it says");
    }
    // Values of the modality may be negative where the stored ones are, or where the intercept is.
    const bool is_signed = f->info.is_signed || (out->rescaled && out->intercept < 0);
    item = group_of(f, frame, DCM_FrameVOILUTSequence);
    if (!item) item = &f->data;
    out->function = keep(f, text_of(item, DCM_VOILUTFunction));
    read_windows(f, item);
    read_tables(f, is_signed, out);
    out->windows = static_cast<std::int64_t>(f->windows.size());
    out->window = f->windows.data();
    out->tables = static_cast<std::int64_t>(f->tables.size());
    out->table = f->tables.data();
}
