/* SPDX-License-Identifier: Apache-2.0
 * draw_masks.c -- draws label maps over each other (draw_masks.h). */
#include "draw_masks.h"
#include "common/program/errors.h"
#include "common/segment/palette.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The maps, and how many of their pixels a pixel of the overlay is wide and high. */
typedef struct maps {
    const uint8_t *predicted;
    const int64_t *truth;
    int64_t map_width, width, height;                         /* width, height: of the overlay */
    double step_x, step_y;
} maps;

/* The index in the maps of what a pixel of the overlay shows. */
static int64_t shown_at(const maps *m, int64_t x, int64_t y)
{
    return (int64_t)(((double)y + 0.5) * m->step_y) * m->map_width + (int64_t)(((double)x + 0.5) * m->step_x);
}

static int64_t true_class(const maps *m, int64_t x, int64_t y)
{
    return m->truth ? m->truth[shown_at(m, x, y)] : 0;
}

static bool on_contour(const maps *m, int64_t x, int64_t y)
{
    static const int step[4][2] = { { -1, 0 }, { 1, 0 }, { 0, -1 }, { 0, 1 } };
    const int64_t own = true_class(m, x, y);
    for (int k = 0; k < 4; k++) {
        const int64_t nx = x + step[k][0], ny = y + step[k][1];
        if (nx < 0 || ny < 0 || nx >= m->width || ny >= m->height || true_class(m, nx, ny) != own) return true;
    }
    return false;
}

static int64_t reduced(int64_t side, double scale) { return (int64_t)fmax(1, round(scale * (double)side)); }

mask_overlay draw_masks(const uint8_t *predicted, const int64_t *truth, int64_t width, int64_t height)
{
    const int64_t longer = width > height ? width : height;
    const double scale = longer > LARGEST_OVERLAY ? (double)LARGEST_OVERLAY / (double)longer : 1;
    maps m = { predicted, truth, width, reduced(width, scale), reduced(height, scale), 0, 0 };
    const size_t pixels = (size_t)(m.width * m.height);
    mask_overlay o = { m.width, m.height, check_alloc(calloc(pixels, 3)), check_alloc(calloc(pixels, 1)) };
    uint8_t palette[PALETTE_COLOURS * 3];
    class_palette(palette);
    m.step_x = (double)width / (double)m.width;
    m.step_y = (double)height / (double)m.height;
    for (int64_t y = 0; y < m.height; y++)
        for (int64_t x = 0; x < m.width; x++) {
            const int64_t at = y * m.width + x, own = true_class(&m, x, y);
            const bool contour = own > 0 && own < PALETTE_COLOURS && on_contour(&m, x, y);
            const int64_t class = contour ? own : predicted[shown_at(&m, x, y)];
            if (!class) continue;
            memcpy(o.rgb + 3 * at, palette + 3 * class, 3);
            o.alpha[at] = contour ? CONTOUR_OPACITY : AREA_OPACITY;
        }
    return o;
}

void free_overlay(mask_overlay *o)
{
    free(o->rgb);
    free(o->alpha);
}
