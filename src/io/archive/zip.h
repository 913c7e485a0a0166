/* SPDX-License-Identifier: Apache-2.0
 * zip.h -- reads zip files through libzip: .npz files, and archives of images. */
#ifndef IO_ZIP_H
#define IO_ZIP_H
#include "io/io.h"
#include <zip.h>

/* The caller closes *out with zip_discard, and keeps ctx until then. */
peft_status io_zip_open(peft_context *ctx, const char *path, zip_t **out);
/* PEFT_E_UNSUPPORTED: the entry unpacks to more than limit bytes, or to more than 1032 times its packed size, which
 * Deflate cannot exceed; it is encrypted; or libzip was built without its compression method. */
peft_status io_zip_check(const zip_stat_t *st, int64_t limit);
/* Unpacks the entry with this index into memory of ctx, which the caller frees, and verifies its checksum. */
peft_status io_zip_read(peft_context *ctx, zip_t *z, zip_int64_t index, uint8_t **data, size_t *size);
#endif
