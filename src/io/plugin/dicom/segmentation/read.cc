// SPDX-License-Identifier: Apache-2.0
// read.cc -- what a segmentation file says: its segments, and of each frame the segment, the sources and the place.
#include "io/plugin/dicom/segmentation/segmentation.hpp"
#include "dcmtk/dcmdata/dcspchrs.h"
#include "dcmtk/dcmdata/dcuid.h"
#include <algorithm>
#include <cstring>
#include <set>

namespace {

// Reads one file; members are what several steps need.
struct reader {
    io_dicom_file *f;
    seg_reading *r;
    DcmSpecificCharacterSet converter;
    bool converts = false;
    std::set<std::string> instances, series;

    const char *keep(const std::string &text)
    {
        r->texts.push_back(text);
        return r->texts.back().c_str();
    }
    // The text in UTF-8; one that cannot be converted as it is.
    const char *keep_converted(const std::string &text)
    {
        OFString out;
        if (converts && converter.convertString(OFString(text.data(), text.size()), out).good())
            return keep(std::string(out.data(), out.size()));
        return keep(text);
    }
    void read_fields(DcmItem *item, const std::vector<seg_field> &fields, std::vector<const char *> *to)
    {
        for (const seg_field &field : fields) to->push_back(keep_converted(read_field(item, field)));
    }
    void add(std::set<std::string> *known, std::vector<const char *> *list, const std::string &uid)
    {
        if (!uid.empty() && known->insert(uid).second) list->push_back(keep(uid));
    }
};

// Calls part for each item of a sequence; `in` may be null.
template <typename F> void for_items(DcmItem *in, const DcmTagKey &sequence, F part)
{
    DcmSequenceOfItems *items = nullptr;
    if (!in || in->findAndGetSequence(sequence, items).bad() || !items) return;
    for (DcmObject *o = items->nextInContainer(nullptr); o; o = items->nextInContainer(o))
        if (DcmItem *item = dynamic_cast<DcmItem *>(o)) part(item);
}

void check_kind(io_dicom_file *f)
{
    const std::string uid = text_of(&f->data, DCM_SOPClassUID);
    if (uid == "1.2.840.10008.5.1.4.1.1.66.7")
        throw failure(PEFT_E_UNSUPPORTED, "a Label Map Segmentation (1.2.840.10008.5.1.4.1.1.66.7) is not read; save "
                                          "it as a Segmentation with Segmentation Type BINARY");
    if (uid != UID_SegmentationStorage)
        throw failure(PEFT_E_FORMAT, "not a segmentation: " + name_of(DCM_SOPClassUID) + " is '" + uid +
                                         "', Modality '" + f->info.modality + "'; expected " +
                                         UID_SegmentationStorage);
    const std::string organized = text_of(&f->data, DCM_DimensionOrganizationType);
    if (organized == "TILED_FULL")
        throw failure(PEFT_E_UNSUPPORTED, name_of(DCM_DimensionOrganizationType) + " is TILED_FULL, the order of which "
                                          "says where frames lie; this is not read, expected functional groups for "
                                          "each frame");
}

void check_pixels(io_dicom_file *f, io_seg_file *out)
{
    const io_dicom_info &n = f->info;
    const std::string type = text_of(&f->data, DCM_SegmentationType);
    if (type != "BINARY" && type != "FRACTIONAL")
        throw failure(PEFT_E_FORMAT, name_of(DCM_SegmentationType) + " is '" + type +
                                         "'; expected BINARY or FRACTIONAL");
    out->fractional = type == "FRACTIONAL";
    const int bits = out->fractional ? 8 : 1;
    if (!n.has_pixels || n.samples != IO_DICOM_INTEGERS)
        throw failure(PEFT_E_FORMAT, "the segmentation has no " + name_of(DCM_PixelData));
    if (n.rows < 1 || n.columns < 1 || n.channels != 1)
        throw failure(PEFT_E_FORMAT, std::to_string(n.rows) + " rows, " + std::to_string(n.columns) + " columns, " +
                                         std::to_string(n.channels) + " samples a pixel; expected sides above 0 and 1 "
                                         "sample");
    if (n.allocated != bits || n.stored != bits || n.high_bit != bits - 1 || n.is_signed)
        throw failure(PEFT_E_FORMAT, type + " with " + std::to_string(n.stored) + " bits of " +
                                         std::to_string(n.allocated) + ", highest bit " + std::to_string(n.high_bit) +
                                         (n.is_signed ? ", signed" : "") + "; expected " + std::to_string(bits) +
                                         " of " + std::to_string(bits) + ", unsigned");
    Uint16 maximum = 1;
    if (out->fractional && (f->data.findAndGetUint16(DCM_MaximumFractionalValue, maximum).bad() || maximum < 1 ||
                            maximum > 255))
        throw failure(PEFT_E_FORMAT, name_of(DCM_MaximumFractionalValue) + " is '" +
                                         text_of(&f->data, DCM_MaximumFractionalValue) + "'; expected a number from 1 "
                                         "to 255");
    out->maximum = maximum;
}

void read_segments(reader *in)
{
    seg_reading *r = in->r;
    for_items(&in->f->data, DCM_SegmentSequence, [&](DcmItem *item) {
        Uint16 number = 0;
        if (item->findAndGetUint16(DCM_SegmentNumber, number).bad() || !number)
            throw failure(PEFT_E_FORMAT, "item " + std::to_string(r->segments.size() + 1) + " of " +
                                             name_of(DCM_SegmentSequence) + ": " + name_of(DCM_SegmentNumber) +
                                             " is missing or 0; expected at least 1");
        if (r->index_of[number] >= 0)
            throw failure(PEFT_E_FORMAT, "two segments have the number " + std::to_string(number));
        r->index_of[number] = static_cast<std::int32_t>(r->segments.size());
        r->segments.push_back({ number, nullptr });
        in->read_fields(item, segment_fields(), &r->segment_text);
    });
    if (r->segments.empty()) throw failure(PEFT_E_FORMAT, "no items in " + name_of(DCM_SegmentSequence));
    for (std::size_t i = 0; i < r->segments.size(); i++)
        r->segments[i].text = r->segment_text.data() + i * IO_SEG_SEGMENT_FIELDS;
}

// Frame numbers count from 1; one without, or below 1, is -1, the whole instance.
void read_links(reader *in, DcmItem *group)
{
    seg_reading *r = in->r;
    const std::int64_t frame = static_cast<std::int64_t>(r->frames.size());
    for_items(group, DCM_DerivationImageSequence, [&](DcmItem *derivation) {
        for_items(derivation, DCM_SourceImageSequence, [&](DcmItem *image) {
            const std::string uid = text_of(image, DCM_ReferencedSOPInstanceUID);
            if (uid.empty()) return;
            in->add(&in->instances, &r->instances, uid);
            const char *kept = in->keep(uid);
            Sint32 number = 0;
            unsigned long i = 0;
            for (; image->findAndGetSint32(DCM_ReferencedFrameNumber, number, i).good() && i < 65536; i++)
                r->links.push_back({ kept, std::max<std::int64_t>(number, 0) - 1, frame });
            if (!i) r->links.push_back({ kept, -1, frame });
        });
    });
}

std::int64_t segment_of(DcmItem *own, DcmItem *shared, std::size_t frame, const seg_reading &r)
{
    Uint16 number = 0;
    DcmItem *item = item_of(own, DCM_SegmentIdentificationSequence, 0);
    if (!item) item = item_of(shared, DCM_SegmentIdentificationSequence, 0);
    const std::string where = "frame " + std::to_string(frame + 1) + ": " + name_of(DCM_ReferencedSegmentNumber);
    if (!item || item->findAndGetUint16(DCM_ReferencedSegmentNumber, number).bad())
        throw failure(PEFT_E_FORMAT, where + " is missing");
    if (r.index_of[number] < 0)
        throw failure(PEFT_E_FORMAT, where + " is " + std::to_string(number) + ", but no segment has this number");
    return number;
}

void read_frames(reader *in)
{
    seg_reading *r = in->r;
    DcmItem *shared = item_of(&in->f->data, DCM_SharedFunctionalGroupsSequence, 0);
    for_items(&in->f->data, DCM_PerFrameFunctionalGroupsSequence, [&](DcmItem *own) {
        io_seg_read_frame frame{};
        frame.segment = segment_of(own, shared, r->frames.size(), *r);
        frame.first_link = static_cast<std::int64_t>(r->links.size());
        read_links(in, own);
        if (frame.first_link == static_cast<std::int64_t>(r->links.size())) read_links(in, shared);
        frame.links = static_cast<std::int64_t>(r->links.size()) - frame.first_link;
        frame.place = place_in(own, shared, &in->f->data).place;
        r->frames.push_back(frame);
    });
    if (static_cast<std::int64_t>(r->frames.size()) != in->f->info.frames)
        throw failure(PEFT_E_FORMAT, name_of(DCM_PerFrameFunctionalGroupsSequence) + " has " +
                                         std::to_string(r->frames.size()) + " items; expected one for each of " +
                                         std::to_string(in->f->info.frames) + " frames");
}

// Series and instances that the data set, or its item of another study, refers to.
void read_references(reader *in, DcmItem *item)
{
    seg_reading *r = in->r;
    for_items(item, DCM_ReferencedSeriesSequence, [&](DcmItem *series) {
        in->add(&in->series, &r->series, text_of(series, DCM_SeriesInstanceUID));
        for_items(series, DCM_ReferencedInstanceSequence, [&](DcmItem *image) {
            in->add(&in->instances, &r->instances, text_of(image, DCM_ReferencedSOPInstanceUID));
        });
    });
    for_items(item, DCM_SourceImageSequence, [&](DcmItem *image) {
        in->add(&in->instances, &r->instances, text_of(image, DCM_ReferencedSOPInstanceUID));
    });
}

// Copies of links and instances, sorted as io_seg_file says.
void sort_references(seg_reading *r)
{
    r->sorted_links = r->links;
    std::sort(r->sorted_links.begin(), r->sorted_links.end(), [](const io_seg_link &a, const io_seg_link &b) {
        const int order = std::strcmp(a.instance, b.instance);
        if (order) return order < 0;
        return a.source_frame != b.source_frame ? a.source_frame < b.source_frame : a.frame < b.frame;
    });
    r->sorted_instances = r->instances;
    std::sort(r->sorted_instances.begin(), r->sorted_instances.end(),
              [](const char *a, const char *b) { return std::strcmp(a, b) < 0; });
}

template <typename T> std::int64_t count(const std::vector<T> &v) { return static_cast<std::int64_t>(v.size()); }

} // namespace

const io_seg_file *read_segmentation(io_dicom_file *f)
{
    if (f->segmentation) return &f->segmentation->file;
    auto r = std::make_shared<seg_reading>();
    reader in{ f, r.get(), {}, false, {}, {} };
    check_kind(f);
    check_pixels(f, &r->file);
    const std::string set = text_of(&f->data, DCM_SpecificCharacterSet);
    in.converts = !set.empty() && set != "ISO_IR 192" && set != "ISO_IR 6" &&
                  in.converter.selectCharacterSet(set.c_str(), "ISO_IR 192").good();
    in.read_fields(&f->data, file_fields(), &r->file_text);
    read_segments(&in);
    read_references(&in, &f->data);
    for_items(&f->data, DCM_StudiesContainingOtherReferencedInstancesSequence, [&](DcmItem *study) {
        read_references(&in, study);
    });
    read_frames(&in);
    sort_references(r.get());
    io_seg_file &file = r->file;
    file.text = r->file_text.data();
    file.segments = count(r->segments);
    file.segment = r->segments.data();
    file.frames = count(r->frames);
    file.frame = r->frames.data();
    file.links = count(r->links);
    file.link = r->links.data();
    file.sorted_link = r->sorted_links.data();
    file.instances = count(r->instances);
    file.instance = r->instances.data();
    file.sorted_instance = r->sorted_instances.data();
    file.index_of = r->index_of.data();
    file.series_count = count(r->series);
    file.series = r->series.data();
    f->segmentation = std::move(r);
    return &file;
}
