/* SPDX-License-Identifier: Apache-2.0
 * orient.c -- turns images: swaps their axes and reverses rows and columns; copies parts of them. Alpha goes along. */
#include "io/image/image.h"

/* Copies the samples of a plane, `bytes` for each pixel, of w x h stored pixels. */
static void turn_plane(const uint8_t *from, int64_t w, int64_t h, size_t bytes, io_turn turn, uint8_t *to)
{
    const int64_t width = turn.swap ? h : w, height = turn.swap ? w : h;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++, to += bytes) {
            const int64_t u = turn.swap ? y : x, v = turn.swap ? x : y;
            const int64_t column = turn.reverse_x ? w - 1 - u : u, row = turn.reverse_y ? h - 1 - v : v;
            memcpy(to, from + (size_t)(row * w + column) * bytes, bytes);
        }
}

peft_status io_image_turn(const peft_image *im, io_turn turn, peft_image **out)
{
    const int64_t width = turn.swap ? im->height : im->width, height = turn.swap ? im->width : im->height;
    const size_t alpha_bytes = io_types[im->type].bytes;
    peft_image *to;
    peft_status s = io_image_like(im, width, height, im->channels, &to);
    if (s) return s;
    to->directions[0] = 0;
    to->spacing[1] = im->spacing[turn.swap ? 2 : 1];
    to->spacing[2] = im->spacing[turn.swap ? 1 : 2];
    if (im->alpha && !(to->alpha = io_alloc(im->ctx, width * height, alpha_bytes))) {
        peft_image_free(to);
        return io_nomem("image");
    }
    turn_plane((const uint8_t *)im->pixels, im->width, im->height, io_image_pixel_bytes(im), turn,
               (uint8_t *)to->pixels);
    if (im->alpha) turn_plane(im->alpha, im->width, im->height, alpha_bytes, turn, to->alpha);
    *out = to;
    return PEFT_OK;
}

io_turn io_turn_of_exif(int orientation)
{
    const int o = orientation;
    return (io_turn){ .swap = o >= 5 && o <= 8, .reverse_x = o == 2 || o == 3 || o == 7 || o == 8,
                      .reverse_y = o == 3 || o == 4 || o == 6 || o == 7 };
}

io_box io_turn_box(io_box box, io_turn turn, int64_t w, int64_t h)
{
    const io_box stored = turn.swap ? (io_box){ box.y, box.x, box.height, box.width } : box;
    return (io_box){ turn.reverse_x ? w - stored.x - stored.width : stored.x,
                     turn.reverse_y ? h - stored.y - stored.height : stored.y, stored.width, stored.height };
}

peft_status io_image_part(const peft_image *im, const io_box *box, peft_image **out)
{
    const size_t sample = io_types[im->type].bytes;
    peft_image *part;
    peft_status s = peft_image_crop(im, box->x, box->y, box->width, box->height, &part);
    if (s) return s;
    if (im->alpha && !(part->alpha = io_alloc(im->ctx, box->width * box->height, sample))) {
        peft_image_free(part);
        return io_nomem("image");
    }
    for (int64_t y = 0; y < box->height && im->alpha; y++)
        memcpy((uint8_t *)part->alpha + (size_t)(y * box->width) * sample,
               (const uint8_t *)im->alpha + (size_t)((box->y + y) * im->width + box->x) * sample,
               (size_t)box->width * sample);
    *out = part;
    return PEFT_OK;
}
