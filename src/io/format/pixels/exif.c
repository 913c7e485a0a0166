/* SPDX-License-Identifier: Apache-2.0
 * exif.c -- reads the orientation in EXIF data, a TIFF directory: 2 bytes for the number of entries, then 12 bytes for
 * each of them: tag, type, count and value. */
#include "io/format/pixels/exif.h"

enum { ORIENTATION = 274, TYPE_SHORT = 3, TYPE_LONG = 4 };

/* The unsigned number of n bytes at the offset, least significant byte first if little; the caller checks bounds. */
static uint32_t number_at(const uint8_t *p, int n, bool little)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++) v = v << 8 | p[little ? n - 1 - i : i];
    return v;
}

int io_exif_orientation(const uint8_t *data, size_t size)
{
    const bool little = size >= 8 && !memcmp(data, "II*\0", 4);
    if (!little && (size < 8 || memcmp(data, "MM\0*", 4))) return 1;
    const size_t start = number_at(data + 4, 4, little);
    if (start > size || size - start < 2) return 1;
    size_t entries = number_at(data + start, 2, little);
    for (size_t i = 0; i < entries && (size - start - 2) / 12 > i; i++) {
        const uint8_t *entry = data + start + 2 + 12 * i;
        const uint32_t type = number_at(entry + 2, 2, little);
        if (number_at(entry, 2, little) != ORIENTATION) continue;
        if (type != TYPE_SHORT && type != TYPE_LONG) return 1;
        const uint32_t v = number_at(entry + 8, type == TYPE_SHORT ? 2 : 4, little);
        return v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}

peft_status io_exif_apply(const io_encoded *f, int orientation, peft_image **im)
{
    const io_turn turn = io_turn_of_exif(orientation);
    peft_image *turned;
    if (!io_turns(turn) || f->options->orientation == IO_ORIENTATION_STORED) return PEFT_OK;
    peft_status s = io_image_turn(*im, turn, &turned);
    peft_image_free(*im);
    *im = s ? NULL : turned;
    if (!s) turned->turned = true;
    return s;
}
