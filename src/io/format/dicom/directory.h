/* SPDX-License-Identifier: Apache-2.0
 * directory.h -- reads the DICOMDIR of a medium: which files lie on it, and what they are. */
#ifndef IO_DICOM_DIRECTORY_H
#define IO_DICOM_DIRECTORY_H
#include "io/strings.h"

/* Whether the last part of a path is DICOMDIR, in upper or lower case. */
bool io_is_medium_name(const char *path);
/* Reads a DICOMDIR: the records that refer to a file, in their order in it, without those that are marked as not in
 * use, and the records "IMAGE" without a file. Adds to `files` the parts of each file's path with backslashes between
 * them, "IMAGES\IM0001", "" where there is none, and to `types` the type of its record, "IMAGE". PEFT_E_FORMAT: not a
 * DICOM file, one without a Directory Record Sequence, or damaged. */
peft_status io_dicom_directory_read(peft_context *ctx, const char *path, io_strings *files, io_strings *types);
#endif
