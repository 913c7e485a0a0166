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
/* The bytes of this ending, with its dot: 7 for "a.nii.gz"; 0: the name has none of a format. */
size_t io_image_ending(const char *name);
/* Whether a file whose name has no ending, or one of digits alone as a UID has, is a DICOM file with preamble: data
 * sets take it as a sample. Not DICOMDIR, the list of the files on a medium. */
bool io_is_unnamed_image(peft_context *ctx, const char *path);
/* The two parts of this rule, for files that are no files on disk: by the name, and by the first bytes. */
enum { IO_UNNAMED_HEAD = 132 };                               /* bytes that io_is_unnamed_head needs */
bool io_may_be_unnamed(const char *path);
bool io_is_unnamed_head(const uint8_t *head, size_t size);
/* Whether the name is one that DICOM files have: with an ending of that format, or as io_may_be_unnamed has it. */
bool io_may_be_dicom(const char *path);
/* Writes the endings of all formats to text [size], as ".png, .jpg or .npy", for messages; returns text. */
const char *io_image_endings(char *text, size_t size);
/* The error (PEFT_E_FORMAT) for bytes of no format; the message says what they are, and the cure: "a TIFF file; convert
 * it to PNG". */
peft_status io_no_format(const uint8_t *data, size_t size);
/* Checks options of peft_image_load without a file; *any: whether the text gives an option at all. PEFT_E_OPTION: an
 * unknown option, or a value out of bounds. */
peft_status io_image_check_options(const char *options, bool *any);
/* PEFT_E_OPTION: these options choose one slice of a file. */
peft_status io_image_check_no_slice(const char *options);
/* Makes the options by which a mask is read: those given, with this slice (IO_NO_SLICE: that of options, if any), and
 * with samples=stored or shown. of_image: options are those of the image, whose volume and window are left out. The
 * caller frees *out. PEFT_E_OPTION: as io_image_check_options. */
peft_status io_image_mask_options(peft_context *ctx, const char *options, bool of_image, bool stored, int64_t slice,
                                  char **out);
/* Whether the format of a file reads only the parts of it that are asked for, so that it is not read into memory. */
bool io_reads_parts(const char *path);
/* peft_image_slices for a file in memory. */
peft_status io_image_slices_memory(peft_context *ctx, const uint8_t *data, size_t size, const char *options,
                                   int64_t *slices);
#endif
