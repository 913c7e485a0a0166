/* SPDX-License-Identifier: Apache-2.0
 * formats.h -- the table of picture formats, and the choice of one by a file's content or by its name. */
#ifndef IO_FORMATS_H
#define IO_FORMATS_H
#include "io/format/decoder.h"

#define IO_FORMAT(name) extern const io_format io_format_##name;
#include "io/format/formats.def"
#undef IO_FORMAT

/* The format whose probe recognises these bytes; NULL: none of the table. */
const io_format *io_format_of(const uint8_t *data, size_t size);
/* Whether the ending of a file's name, in upper or lower case, is that of a format of the table. */
bool io_is_image_name(const char *name);
/* Writes the endings of all formats to text, as ".png, .jpg or .npy"; returns text. */
const char *io_image_endings(char *text, size_t room);
/* Fails with PEFT_E_FORMAT for bytes that no format reads; the message says what they are, and the cure: "a TIFF file;
 * convert it to PNG". */
peft_status io_no_format(const uint8_t *data, size_t size);
/* Sets *any to whether the text gives an option. PEFT_E_OPTION: one that peft_image_load does not have. */
peft_status io_image_check_options(const char *options, bool *any);
#endif
