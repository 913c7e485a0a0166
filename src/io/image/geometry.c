/* SPDX-License-Identifier: Apache-2.0
 * geometry.c -- peft_image_crop, peft_image_centre_crop, peft_image_flip: copy pixels without a change of values. */
#include "io/image/resize.h"

/* The part of the range [start, start + length) that lies in [0, size): begins at start + *first and has *count
 * positions. start -2, length 5, size 10: *first 2, *count 3. */
static void overlap(int64_t start, int64_t length, int64_t size, int64_t *first, int64_t *count)
{
    int64_t end = start + length < size ? start + length : size, begin = start > 0 ? start : 0;
    *first = begin - start;
    *count = end > begin ? end - begin : 0;
}

peft_status peft_image_crop(const peft_image *im, int64_t left, int64_t top, int64_t width, int64_t height,
                            peft_image **out)
{
    const int64_t limit = 1ll << 40;                          /* start + length cannot overflow */
    peft_image *to;
    int64_t x, y, columns, rows;                              /* the box in `to` that is copied from im */
    if (!im || !out) return io_fail(PEFT_E_INVALID, "crop: %s is NULL", im ? "out" : "image");
    if (left < -limit || left > limit || top < -limit || top > limit)
        return io_fail(PEFT_E_INVALID, "crop: left %lld, top %lld; expected -2^40 to 2^40", (long long)left,
                       (long long)top);
    peft_status s = io_image_like(im, width, height, im->channels, &to);
    if (s) return s;
    overlap(left, width, im->width, &x, &columns);
    overlap(top, height, im->height, &y, &rows);
    size_t pixel = io_image_pixel_bytes(im);
    for (int64_t r = 0; r < rows && columns; r++)
        memcpy((uint8_t *)to->pixels + (size_t)(y + r) * io_image_row_bytes(to) + (size_t)x * pixel,
               (const uint8_t *)im->pixels + (size_t)(top + y + r) * io_image_row_bytes(im) +
                   (size_t)(left + x) * pixel,
               (size_t)columns * pixel);
    *out = to;
    return PEFT_OK;
}

int64_t io_centre_offset(int64_t size, int64_t crop, io_half half)
{
    int64_t surplus = size - crop;
    if (surplus < 0 || surplus % 2 == 0 || half == IO_HALF_DOWN) return surplus / 2;        /* C rounds towards 0 */
    return surplus / 2 + surplus / 2 % 2;                     /* an odd number is raised to the even one above it */
}

peft_status peft_image_centre_crop(const peft_image *im, int64_t width, int64_t height, peft_image **out)
{
    if (!im || !out) return io_fail(PEFT_E_INVALID, "centre crop: %s is NULL", im ? "out" : "image");
    if (width < 1 || height < 1)
        return io_fail(PEFT_E_INVALID, "centre crop: to %lldx%lld pixels (height x width), expected positive sides",
                       (long long)height, (long long)width);
    return peft_image_crop(im, io_centre_offset(im->width, width, IO_HALF_EVEN),
                           io_centre_offset(im->height, height, IO_HALF_EVEN), width, height, out);
}

char io_opposite_letter(char letter)
{
    static const char pairs[] = "RLAPSI";
    const char *at = letter ? strchr(pairs, letter) : NULL;
    return at ? pairs[(at - pairs) ^ 1] : 0;
}

peft_status peft_image_flip(const peft_image *im, peft_image **out)
{
    peft_image *to;
    if (!im || !out) return io_fail(PEFT_E_INVALID, "flip: %s is NULL", im ? "out" : "image");
    peft_status s = io_image_like(im, im->width, im->height, im->channels, &to);
    if (s) return s;
    size_t pixel = io_image_pixel_bytes(im), row = io_image_row_bytes(im);
    for (int64_t y = 0; y < im->height; y++) {
        const uint8_t *from = (const uint8_t *)im->pixels + (size_t)y * row;
        uint8_t *mirrored = (uint8_t *)to->pixels + (size_t)y * row + row;     /* the end of the row; goes left */
        for (int64_t x = 0; x < im->width; x++, from += pixel) memcpy(mirrored -= pixel, from, pixel);
    }
    to->directions[0] = io_opposite_letter(to->directions[0]);
    *out = to;
    return PEFT_OK;
}
