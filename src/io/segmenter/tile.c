/* SPDX-License-Identifier: Apache-2.0
 * tile.c -- where the tiles of an image lie, and the copy of one of them. */
#include "io/segmenter/segmenter.h"
#include <math.h>

io_tile_plan io_tiles_along(const peft_segmenter *s, int64_t side, int64_t length)
{
    const int64_t step = (int64_t)fmax(1, floor((double)side * (1 - s->options.overlap)));
    return (io_tile_plan){ length, side, length <= side ? 1 : (length - side + step - 1) / step + 1 };
}

/* Tiles are spread evenly, the last one at the end of the image. */
int64_t io_tile_start(const io_tile_plan *p, int64_t i)
{
    const int64_t rest = p->length - p->side;
    if (rest <= 0) return -(-rest / 2);
    return (i * rest + (p->count - 1) / 2) / (p->count - 1);
}

/* The position in 0..size - 1 that continues an axis at position i. */
static int64_t inside(int64_t i, int64_t size, int border)
{
    if (border == IO_BORDER_EDGE || size == 1) return i < 0 ? 0 : i >= size ? size - 1 : i;
    const int64_t period = 2 * size - 2, j = (i % period + period) % period;
    return j < size ? j : period - j;
}

/* Copies samples of `bytes` bytes a pixel from [im->height, im->width] to [part->height, part->width]. */
static void copy_tile(const peft_image *im, const void *from, void *to, size_t bytes, const io_part *part, int border)
{
    const bool whole_rows = part->left >= 0 && part->left + part->width <= im->width;
    for (int64_t y = 0; y < part->height; y++) {
        const size_t row_above = (size_t)(inside(part->top + y, im->height, border) * im->width);
        const uint8_t *source = (const uint8_t *)from + row_above * bytes;
        uint8_t *row = (uint8_t *)to + (size_t)(y * part->width) * bytes;
        if (whole_rows) memcpy(row, source + (size_t)part->left * bytes, (size_t)part->width * bytes);
        else
            for (int64_t x = 0; x < part->width; x++)
                memcpy(row + (size_t)x * bytes, source + (size_t)inside(part->left + x, im->width, border) * bytes,
                       bytes);
    }
}

peft_status io_tile_cut(const peft_image *im, const io_part *part, int border, peft_image **out)
{
    peft_image *tile;
    const size_t alpha_bytes = io_types[im->type].bytes;
    peft_status s = io_image_like(im, part->width, part->height, im->channels, &tile);
    if (s) return s;
    if (im->alpha && !(tile->alpha = io_alloc(im->ctx, part->width * part->height, alpha_bytes))) {
        peft_image_free(tile);
        return io_nomem("segmenter");
    }
    tile->windowed = false;                                   /* its range may be one of percentiles of the image */
    copy_tile(im, im->pixels, tile->pixels, io_image_pixel_bytes(im), part, border);
    if (im->alpha) copy_tile(im, im->alpha, tile->alpha, alpha_bytes, part, border);
    *out = tile;
    return PEFT_OK;
}
