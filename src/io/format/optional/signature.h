/* SPDX-License-Identifier: Apache-2.0
 * signature.h -- how files of the formats with an optional library are recognised, with the library or without. */
#ifndef IO_SIGNATURE_H
#define IO_SIGNATURE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IO_TIFF_ENDINGS "tif|tiff|svs"
static inline bool io_is_tiff(const uint8_t *data, size_t size)               /* also BigTIFF */
{
    return size >= 4 && (!memcmp(data, "II*\0", 4) || !memcmp(data, "MM\0*", 4) || !memcmp(data, "II+\0", 4) ||
                         !memcmp(data, "MM\0+", 4));
}

#define IO_WEBP_ENDINGS "webp"
static inline bool io_is_webp(const uint8_t *data, size_t size)
{
    return size >= 12 && !memcmp(data, "RIFF", 4) && !memcmp(data + 8, "WEBP", 4);
}
#endif
