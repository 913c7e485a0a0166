// SPDX-License-Identifier: Apache-2.0
// segmentation.hpp -- segmentations (../../../format/dicom/segmentation/interface.h): the sources of one, and what
// the parts that read and write them share.
#ifndef PEFT_DICOM_SEGMENTATION_H
#define PEFT_DICOM_SEGMENTATION_H
#include "io/plugin/dicom/file.hpp"

// Place of a frame as its file has it; "" where an element is missing. place: the numbers in it.
struct seg_place {
    std::string position, orientation, spacing, thickness, between;
    io_seg_place place{};
};

struct seg_source {
    std::string class_uid, patient, study, series, instance, frame_of_reference;
    std::int64_t frames = 1;
    bool lossy = false;
    std::vector<seg_place> texts;                             // [frames]
    std::vector<io_seg_place> places;                         // the same as numbers
};

struct io_dicom_sources {
    DcmDataset common;                                        // what a segmentation copies of the first source
    std::int64_t rows = 0, columns = 0;                       // of the first source
    std::string date, time;                                   // of the first source's content, series or study
    std::deque<seg_source> list;
    std::vector<std::uint8_t> written;
};

// What a file that was read says.
struct seg_reading {
    io_seg_file file{};
    std::deque<std::string> texts;                            // what the pointers lead to; it does not move them
    std::vector<const char *> file_text, segment_text, instances, sorted_instances, series;
    std::vector<io_seg_segment> segments;
    std::vector<io_seg_read_frame> frames;
    std::vector<io_seg_link> links, sorted_links;
    std::vector<std::int32_t> index_of = std::vector<std::int32_t>(65536, -1);
};

// A row of fields.def.
struct seg_field { DcmTagKey tag; std::string vr; bool written; };
const std::vector<seg_field> &file_fields();                  // fields.cc
const std::vector<seg_field> &segment_fields();

// fields.cc: the text of a field that is no FILE field of the program alone: a code is "value^scheme^meaning", a colour
// "L:a:b".
std::string read_field(DcmItem *item, const seg_field &field);
// The same in the other direction; an empty text inserts an empty element, or nothing for codes and colours.
void write_field(DcmItem *item, const seg_field &field, const std::string &text);
void write_code(DcmItem *item, const DcmTagKey &sequence, const std::string &code);
void must(const OFCondition &c, const DcmTagKey &tag);         // throws a failure with the element's name
// Inserts a text; throws a failure if DCMTK refuses it.
void put(DcmItem *item, const DcmTagKey &tag, const std::string &text);
void put_short(DcmItem *item, const DcmTagKey &tag, Uint16 v);
DcmItem *add_item(DcmItem *in, const DcmTagKey &sequence);    // a new last item of a sequence
// places.cc: place of a frame: in its functional groups or those of all frames (either may be null), else in `data`.
seg_place place_in(DcmItem *own, DcmItem *shared, DcmItem *data);
// sources.cc
void add_source(io_dicom_sources *s, io_dicom_file *f, io_dicom_source *out);
// groups.cc: writes the dimensions, and the functional groups of all frames and of each.
void write_groups(DcmItem *data, const io_dicom_sources &s, const io_seg_contents &c);
// write.cc: sets s->written.
void write_segmentation(io_dicom_sources *s, const io_seg_contents &c);
// read.cc: the result lives as long as f.
const io_seg_file *read_segmentation(io_dicom_file *f);
#endif
