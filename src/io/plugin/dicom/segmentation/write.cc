// SPDX-License-Identifier: Apache-2.0
// write.cc -- makes the data set of a segmentation (PS3.3 A.51) and its bytes, in explicit little endian.
#include "io/plugin/dicom/segmentation/segmentation.hpp"
#include "dcmtk/dcmdata/dcostrmb.h"
#include "dcmtk/dcmdata/dcpixel.h"
#include "dcmtk/dcmdata/dcuid.h"
#include <algorithm>

namespace {

bool is_ascii(const char *text)
{
    for (; *text; text++)
        if (static_cast<unsigned char>(*text) > 126) return false;
    return true;
}

bool all_ascii(const io_seg_contents &c)
{
    return std::all_of(c.text, c.text + IO_SEG_FILE_FIELDS, is_ascii) &&
           std::all_of(c.segment_text, c.segment_text + c.segments * IO_SEG_SEGMENT_FIELDS, is_ascii);
}

// Texts of the source are copied as they are, with its character set; where the segmentation has texts that are not
// ASCII, all are in UTF-8.
void write_common(DcmDataset *d, io_dicom_sources *s, const io_seg_contents &c)
{
    *d = s->common;
    if (all_ascii(c)) return;
    const OFCondition converted = d->convertToUTF8();
    if (converted.bad())
        throw failure(PEFT_E_UNSUPPORTED, "texts that are not ASCII need UTF-8, but the source's texts cannot be "
                                          "converted from " + name_of(DCM_SpecificCharacterSet) + " '" +
                                              text_of(&s->common, DCM_SpecificCharacterSet) + "': " + converted.text());
    put(d, DCM_SpecificCharacterSet, "ISO_IR 192");
}

void write_fields(DcmItem *item, const std::vector<seg_field> &fields, const char *const *text)
{
    for (std::size_t i = 0; i < fields.size(); i++)
        if (fields[i].written) write_field(item, fields[i], text[i]);
}

void write_references(DcmItem *d, const io_dicom_sources &s)
{
    std::vector<std::string> done;
    for (const seg_source &first : s.list) {
        if (std::count(done.begin(), done.end(), first.series)) continue;
        done.push_back(first.series);
        DcmItem *series = add_item(d, DCM_ReferencedSeriesSequence);
        put(series, DCM_SeriesInstanceUID, first.series);
        for (const seg_source &source : s.list) {
            if (source.series != first.series) continue;
            DcmItem *image = add_item(series, DCM_ReferencedInstanceSequence);
            put(image, DCM_ReferencedSOPClassUID, source.class_uid);
            put(image, DCM_ReferencedSOPInstanceUID, source.instance);
        }
    }
}

void write_image(DcmItem *d, const io_dicom_sources &s, const io_seg_contents &c)
{
    const bool lossy = std::any_of(s.list.begin(), s.list.end(), [](const seg_source &v) { return v.lossy; });
    put(d, DCM_ImageType, "DERIVED\\PRIMARY");
    put_short(d, DCM_SamplesPerPixel, 1);
    put(d, DCM_PhotometricInterpretation, "MONOCHROME2");
    put(d, DCM_NumberOfFrames, std::to_string(c.frames));
    put_short(d, DCM_Rows, static_cast<Uint16>(s.rows));
    put_short(d, DCM_Columns, static_cast<Uint16>(s.columns));
    put_short(d, DCM_BitsAllocated, c.fractional ? 8 : 1);
    put_short(d, DCM_BitsStored, c.fractional ? 8 : 1);
    put_short(d, DCM_HighBit, c.fractional ? 7 : 0);
    put_short(d, DCM_PixelRepresentation, 0);
    put(d, DCM_LossyImageCompression, lossy ? "01" : "00");
    put(d, DCM_SegmentationType, c.fractional ? "FRACTIONAL" : "BINARY");
    put(d, DCM_SegmentsOverlap, c.overlap ? "YES" : "NO");
    if (c.fractional) put(d, DCM_SegmentationFractionalType, "PROBABILITY");
    if (c.fractional) put_short(d, DCM_MaximumFractionalValue, IO_SEG_MAXIMUM);
    DcmPixelData *pixels = new DcmPixelData(DcmTag(DCM_PixelData, EVR_OB));
    must(d->insert(pixels, OFTrue), DCM_PixelData);
    must(pixels->putUint8Array(c.pixels, static_cast<unsigned long>(c.size)), DCM_PixelData);
}

void write_segments(DcmItem *d, const io_seg_contents &c)
{
    for (std::int64_t i = 0; i < c.segments; i++) {
        const char *const *text = c.segment_text + i * IO_SEG_SEGMENT_FIELDS;
        DcmItem *item = add_item(d, DCM_SegmentSequence);
        put_short(item, DCM_SegmentNumber, static_cast<Uint16>(i + 1));
        write_fields(item, segment_fields(), text);
        for (int field : { IO_SEG_SEGMENT_DESCRIPTION, IO_SEG_SEGMENT_ALGORITHM })
            if (!*text[field]) delete item->remove(segment_fields()[static_cast<std::size_t>(field)].tag);
    }
}

std::vector<std::uint8_t> bytes_of(DcmFileFormat *file)
{
    const E_TransferSyntax syntax = EXS_LittleEndianExplicit;
    must(file->validateMetaInfo(syntax), DCM_TransferSyntaxUID);
    // Sequences are written with their lengths; the preamble and the group length come on top.
    const std::size_t most = file->getDataset()->getLength(syntax, EET_ExplicitLength) +
                             file->getMetaInfo()->getLength(syntax, EET_ExplicitLength) + 4096;
    std::vector<std::uint8_t> out(most + most % 2);
    DcmOutputBufferStream stream(out.data(), static_cast<offile_off_t>(out.size()));
    file->transferInit();
    const OFCondition c = file->write(stream, syntax, EET_ExplicitLength, nullptr);
    file->transferEnd();
    if (c.bad()) throw failure(PEFT_E_FORMAT, std::string("the segmentation cannot be written: ") + c.text());
    out.resize(static_cast<std::size_t>(stream.filled()));
    return out;
}

} // namespace

void write_segmentation(io_dicom_sources *s, const io_seg_contents &c)
{
    DcmFileFormat file;
    DcmDataset *d = file.getDataset();
    write_common(d, s, c);
    put(d, DCM_SOPClassUID, UID_SegmentationStorage);
    put(d, DCM_SOPInstanceUID, c.instance_uid);
    put(d, DCM_SeriesInstanceUID, c.series_uid);
    put(d, DCM_Modality, "SEG");
    write_fields(d, file_fields(), c.text);
    if (!*c.text[IO_SEG_FILE_SERIES_DESCRIPTION]) delete d->remove(DCM_SeriesDescription);
    if (!*c.text[IO_SEG_FILE_DATE]) {
        put(d, DCM_ContentDate, s->date.empty() ? "19000101" : s->date);
        put(d, DCM_ContentTime, s->date.empty() || s->time.empty() ? "000000" : s->time);
    } else if (!*c.text[IO_SEG_FILE_TIME]) put(d, DCM_ContentTime, "000000");
    write_references(d, *s);
    write_segments(d, c);
    write_groups(d, *s, c);
    write_image(d, *s, c);
    s->written = bytes_of(&file);
}
