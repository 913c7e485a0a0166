/* SPDX-License-Identifier: Apache-2.0
 * drawing.c -- draws a map over the pixels of the picture that it belongs to (explain.h). */
#include "explain.h"
#include "common/figures/colour_scale.h"
#include <math.h>
#include <string.h>

drawing make_drawing(const map_kind *k, const peft_image *im, const double box[4], bool cells)
{
    drawing d = { .width = peft_image_width(im), .height = peft_image_height(im), .h = k->h, .w = k->w,
                  .value = k->value, .low = INFINITY, .high = -INFINITY, .cells = cells };
    memcpy(d.box, box, sizeof d.box);
    for (int64_t i = 0; i < k->h * k->w; i++) {
        d.low = fmin(d.low, (double)k->value[i]);
        d.high = fmax(d.high, (double)k->value[i]);
    }
    return d;
}

/* A coordinate between the centres of cells 0 .. n - 1: the cell before it and how far the next one is, 0..1. */
static int64_t cell_before(double u, int64_t n, bool cells, double *part)
{
    const double at = cells ? floor(u * (double)n) : u * (double)n - 0.5;
    const double inside = fmin((double)(n - 1), fmax(0, at));
    const int64_t cell = (int64_t)fmin((double)(n - 1), floor(inside));
    *part = inside - (double)cell;
    return cell;
}

/* The value at (u,v), 0..1 from the left and upper edge of what the network sees. */
static double value_at(const drawing *d, double u, double v)
{
    double px, py;
    const int64_t x = cell_before(u, d->w, d->cells, &px), y = cell_before(v, d->h, d->cells, &py);
    const int64_t right = x + 1 < d->w ? x + 1 : x, below = y + 1 < d->h ? y + 1 : y;
    const double top = (1 - px) * (double)d->value[y * d->w + x] + px * (double)d->value[y * d->w + right];
    const double low = (1 - px) * (double)d->value[below * d->w + x] + px * (double)d->value[below * d->w + right];
    return (1 - py) * top + py * low;
}

void draw_map(const drawing *d, unsigned char opacity, unsigned char *rgb, unsigned char *alpha)
{
    const double range = d->high > d->low ? d->high - d->low : 1;
    for (int64_t i = 0; i < d->width * d->height; i++) {
        const double u = ((double)(i % d->width) + 0.5 - d->box[0]) / (d->box[2] - d->box[0]);
        const double v = ((double)(i / d->width) + 0.5 - d->box[1]) / (d->box[3] - d->box[1]);
        const bool seen = u >= 0 && u < 1 && v >= 0 && v < 1;
        alpha[i] = seen ? opacity : 0;
        if (seen) scale_colour((value_at(d, u, v) - d->low) / range, rgb + 3 * i);
        else memset(rgb + 3 * i, 0, 3);
    }
}
