/* SPDX-License-Identifier: Apache-2.0
 * formats.h -- the picture formats that are read (formats.def): which of them a file has, by its content or its
 * name. */
#ifndef IO_FORMATS_H
#define IO_FORMATS_H
#include "io/format/decoder.h"

#define IO_FORMAT(name) extern const io_format io_format_##name;
#include "io/format/formats.def"
#undef IO_FORMAT

/* The format whose probe recognises these bytes of a file; NULL: none does. */
const io_format *io_format_of(const uint8_t *data, size_t size);
/* Whether the name of a file ends as one of a format does, in upper or lower case: data sets take such files as
 * samples. */
bool io_is_image_name(const char *name);
/* Whether a file whose name has no ending, or one of digits alone as a UID has, is a DICOM file with preamble: data
 * sets take it as a sample. Not DICOMDIR, the list of the files on a medium. */
bool io_is_unnamed_image(peft_context *ctx, const char *path);
/* Writes the endings of all formats to text [size], as ".png, .jpg or .npy", for messages; returns text. */
const char *io_image_endings(char *text, size_t size);
/* The error (PEFT_E_FORMAT) for bytes of no format; the message says what they are, and the cure: "a TIFF file; convert
 * it to PNG". */
peft_status io_no_format(const uint8_t *data, size_t size);
/* Checks options of peft_image_load without a file; *any: whether the text gives an option at all. PEFT_E_OPTION: an
 * unknown option, or a value out of bounds. */
peft_status io_image_check_options(const char *options, bool *any);
#endif
