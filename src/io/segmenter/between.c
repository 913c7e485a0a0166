/* SPDX-License-Identifier: Apache-2.0
 * between.c -- where along an axis the positions of a result lie among those of its source. */
#include "io/segmenter/segmenter.h"
#include <math.h>

void io_between_fill(io_between *at, int64_t n, double offset, double scale, int64_t size)
{
    for (int64_t i = 0; i < n; i++) {
        const double last = (double)(size - 1), u = ((double)i + 0.5 - offset) * scale - 0.5;
        const double inside = u < 0 ? 0 : u > last ? last : u, from = floor(inside);
        at[i].from = (int32_t)from;
        at[i].to = (int32_t)(from < last ? from + 1 : from);
        at[i].share = (float)(inside - from);
    }
}
