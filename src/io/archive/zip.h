/* SPDX-License-Identifier: Apache-2.0
 * zip.h -- reading zips: the containers of .npz files, and archives of images. */
#ifndef IO_ZIP_H
#define IO_ZIP_H
#include "io/io.h"
#include <zip.h>

/* The caller ends with zip_discard. ctx lives until then. */
peft_status io_zip_open(peft_context *ctx, const char *path, zip_t **out);
/* PEFT_E_UNSUPPORTED where an entry unpacks to more than limit bytes or to more than Deflate can make of its packed
 * bytes, is encrypted, or is compressed by a method that libzip was built without. */
peft_status io_zip_check(const zip_stat_t *st, int64_t limit);
/* Unpacks entry index into memory of ctx, which the caller gives back, and compares its checksum. */
peft_status io_zip_read(peft_context *ctx, zip_t *z, zip_int64_t index, uint8_t **data, size_t *size);
#endif
