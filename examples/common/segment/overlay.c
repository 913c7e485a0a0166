/* SPDX-License-Identifier: Apache-2.0
 * overlay.c -- draws a label map over a picture (overlay.h). */
#include "overlay.h"
#include "palette.h"
#include <math.h>
#include <stdbool.h>

typedef struct label_map { const uint8_t *label; int64_t width, height; } label_map;

/* Whether a pixel of another class lies within `reach` pixels to the left, to the right, above or below. */
static bool on_contour(const label_map *m, int64_t x, int64_t y, int64_t reach)
{
    const uint8_t own = m->label[y * m->width + x];
    for (int64_t d = 1; d <= reach; d++)
        if ((x >= d && m->label[y * m->width + x - d] != own) ||
            (x + d < m->width && m->label[y * m->width + x + d] != own) ||
            (y >= d && m->label[(y - d) * m->width + x] != own) ||
            (y + d < m->height && m->label[(y + d) * m->width + x] != own))
            return true;
    return false;
}

void draw_overlay(const uint8_t *labels, int64_t width, int64_t height, double opacity, uint8_t *rgb)
{
    const label_map m = { labels, width, height };
    const int64_t shorter = width < height ? width : height, reach = shorter <= 512 ? 1 : shorter / 512;
    uint8_t palette[PALETTE_COLOURS * 3];
    class_palette(palette);
    for (int64_t i = 0; i < width * height; i++) {
        if (!labels[i]) continue;
        const double share = on_contour(&m, i % width, i / width, reach) ? 1 : opacity;
        for (int c = 0; c < 3; c++)
            rgb[3 * i + c] = (uint8_t)lround((1 - share) * rgb[3 * i + c] + share * palette[3 * labels[i] + c]);
    }
}
