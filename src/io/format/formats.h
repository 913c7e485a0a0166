/* SPDX-License-Identifier: Apache-2.0
 * formats.h -- the table of formats: by content, by a file's name, and in words. */
#ifndef IO_FORMATS_H
#define IO_FORMATS_H
#include "io/format/decoder.h"

#define IO_FORMAT(name) extern const io_format io_format_##name;
#include "io/format/formats.def"
#undef IO_FORMAT

/* The format of these bytes; NULL: none of the table. */
const io_format *io_format_of(const uint8_t *data, size_t size);
/* Whether a file is read as a picture, by the ending of its name, in upper or lower case. */
bool io_is_image_name(const char *name);
/* PEFT_E_FORMAT, with what the bytes are instead and the cure: "a TIFF file; convert it to PNG". */
peft_status io_no_format(const uint8_t *data, size_t size);
peft_status io_image_check_options(const char *options);      /* those of peft_image_load */
#endif
