/* SPDX-License-Identifier: Apache-2.0
 * fields.h -- the texts of a segmentation and of its segments, by name (fields.def), and which values they take. */
#ifndef IO_SEG_FIELDS_H
#define IO_SEG_FIELDS_H
#include "io/format/dicom/segmentation/interface.h"
#include "io/io.h"

/* fallback NULL: only read. */
typedef struct io_seg_field { const char *name, *vr, *fallback; } io_seg_field;
extern const io_seg_field io_seg_file_field[IO_SEG_FILE_FIELDS], io_seg_segment_field[IO_SEG_SEGMENT_FIELDS];

/* The index of the field of that name, of the file or of a segment; -1: there is none. */
int io_seg_find_field(bool of_file, const char *name);
/* PEFT_E_INVALID: the field does not take this value; the message names both and what is expected. */
peft_status io_seg_check_value(const io_seg_field *field, const char *value);
#endif
