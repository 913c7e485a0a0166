/* SPDX-License-Identifier: Apache-2.0
 * header.h -- recognises DICOM files, and opens them by the plug-in. */
#ifndef IO_DICOM_HEADER_H
#define IO_DICOM_HEADER_H
#include "io/format/dicom/find.h"
#include "io/io.h"
#include <peft/image.h>

/* An open file and the functions of the plug-in. Closed by io_dicom_close. */
typedef struct io_dicom { const io_dicom_plugin *plugin; io_dicom_file *file; const io_dicom_info *info; } io_dicom;

/* Whether these are the first bytes of a DICOM file: with the preamble of 128 bytes, or without it, then by the first
 * element. */
bool io_dicom_probe(const uint8_t *data, size_t size);
/* Opens the file data[size], which must stay in memory until io_dicom_close; arguments as in io_dicom_plugin. */
peft_status io_dicom_open(const uint8_t *data, size_t size, int64_t max_bytes, bool header, io_dicom *out);
void        io_dicom_close(io_dicom *d);
/* Opens the header of the file at path, calls visit, which returns a status, and closes it. Reads the beginning of the
 * file, and all of it only where the header is longer; visit may then be called again. The message of an error begins
 * with path. */
peft_status io_dicom_header_visit(peft_context *ctx, const char *path, peft_status (*visit)(io_dicom *d, void *user),
                                  void *user);
/* Where the image of a header that was read lies. */
const io_dicom_place *io_dicom_place_of(const peft_dicom_header *h);
/* Sets the message of the plug-in; returns s. */
peft_status io_dicom_failed(peft_status s, const io_dicom_message *why);
#endif
