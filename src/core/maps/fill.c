/* SPDX-License-Identifier: Apache-2.0
 * fill.c -- the image whose pixels fill an occluded square: the mean of each channel, 0, or the blurred image. */
#include "core/maps/occlusion.h"

/* out [3,plane]: the mean of each channel of x. */
static void fill_mean(const pk_real *x, int64_t plane, pk_real *out)
{
    for (int64_t c = 0; c < 3; c++) {
        double sum = 0;
        for (int64_t i = 0; i < plane; i++) sum += (double)x[c * plane + i];
        for (int64_t i = 0; i < plane; i++) out[c * plane + i] = (pk_real)(sum / (double)plane);
    }
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Means over spans of `width` elements around each of n elements, as far as they lie inside; element i is at
 * i * step. */
static void blur_line(const pk_real *x, pk_real *out, int64_t n, int64_t step, int64_t width)
{
    const int64_t before = width / 2, after = width - 1 - before;
    for (int64_t i = 0; i < n; i++) {
        const int64_t first = i > before ? i - before : 0, last = smaller(i + after, n - 1);
        double sum = 0;
        for (int64_t j = first; j <= last; j++) sum += (double)x[j * step];
        out[i * step] = (pk_real)(sum / (double)(last - first + 1));
    }
}

/* Rows, then columns; between: [h,w]. */
static void fill_blur(const pk_real *x, pf_grid image, int64_t width, pk_real *between, pk_real *out)
{
    const int64_t plane = pf_grid_area(image), column = 1;
    for (int64_t c = 0; c < 3; c++) {
        for (int64_t y = 0; y < image.h; y++)
            blur_line(x + c * plane + y * image.w, between + y * image.w, image.w, column, width);
        for (int64_t i = 0; i < image.w; i++) blur_line(between + i, out + c * plane + i, image.h, image.w, width);
    }
}

void pf_occlusion_fill(pf_fill fill, const pk_real *x, pf_grid image, int64_t width, pk_real *between, pk_real *out)
{
    const int64_t plane = pf_grid_area(image);
    if (fill == PF_FILL_MEAN) fill_mean(x, plane, out);
    else if (fill == PF_FILL_BLUR) fill_blur(x, image, width, between, out);
    else for (int64_t i = 0; i < 3 * plane; i++) out[i] = 0;
}
