// SPDX-License-Identifier: Apache-2.0
// file.hpp -- the struct of an open file, and what the parts of the plug-in offer each other.
#ifndef PEFT_DICOM_FILE_H
#define PEFT_DICOM_FILE_H
#include "io/format/dicom/plugin.h"
#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmdata/dctk.h"
#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

// A failure on the way to the C interface, where it becomes a status and a message.
struct failure : std::runtime_error {
    failure(peft_status s, const std::string &text) : std::runtime_error(text), status(s) {}
    peft_status status;
};

struct seg_reading;                                           // segmentation/segmentation.hpp

struct io_dicom_file {
    std::vector<std::uint8_t> inflated;                       // the data set of a deflated file
    DcmDataset data;
    E_TransferSyntax syntax = EXS_Unknown;
    std::string syntax_uid;
    io_dicom_info info{};
    double between_frames = -1;                               // mm; below 0: not looked for yet
    // What info and the last view point to; a deque does not move its elements.
    std::deque<std::string> texts;
    std::deque<std::vector<std::uint16_t>> entries;
    std::deque<std::string> view_texts;
    std::deque<std::vector<std::uint16_t>> view_entries;
    std::vector<io_dicom_window> windows;
    std::vector<io_dicom_table> tables;
    std::shared_ptr<seg_reading> segmentation;
};

// Parses the file into f->data; sets syntax and syntax_uid (parse.cc).
void parse(io_dicom_file *f, const std::uint8_t *data, std::size_t size, std::int64_t max_bytes, bool header);
// Fills f->info from f->data (info.cc).
void read_info(io_dicom_file *f, bool header);
// Fills *out for a frame from f->data (view.cc).
void read_view(io_dicom_file *f, std::int64_t frame, io_dicom_view *out);
// segmentation/spacing.cc: distances in millimetres between slices, rows and columns at a frame, to out[3]; 0: not
// known.
void read_spacing(io_dicom_file *f, std::int64_t frame, double *out);
// Decodes a frame (frame.cc).
void read_frame(io_dicom_file *f, std::int64_t frame, void *out, std::size_t size, io_dicom_layout *layout);

// info.cc: the text without blanks at its ends.
std::string trimmed(const std::string &text);
// Text of an element without blanks at its ends, of several values with backslashes between them; "" where it is
// absent.
std::string text_of(DcmItem *item, const DcmTagKey &tag);
// info.cc: "Rescale Slope (0028,1053)".
std::string name_of(const DcmTagKey &tag);
// info.cc: whether the text is a decimal number as DICOM writes it (VR DS); sets *out.
bool read_decimal(const std::string &text, double *out);
// info.cc: whether the text is `count` numbers, separated by backslashes, of a size that positions in millimetres can
// have.
bool read_decimals(const std::string &text, double *out, std::size_t count);
// view.cc: the item of a sequence, which may be null; null: there is none.
DcmItem *item_of(DcmItem *in, const DcmTagKey &sequence, long number);
// table.cc: reads a table whose descriptor and entries are these elements; without both, or with a broken one, it has 0
// entries.
io_dicom_table table_of(DcmItem *item, const DcmTagKey &descriptor, const DcmTagKey &entries, bool is_signed,
                        std::deque<std::vector<std::uint16_t>> &keep);
// The table of a colour of the palette, 0 red, 1 green, 2 blue; segments are expanded.
io_dicom_table palette_of(DcmItem *item, Uint16 colour, bool is_signed, std::deque<std::vector<std::uint16_t>> &keep);
#endif
