/* SPDX-License-Identifier: Apache-2.0
 * rope.c -- the tables of rotary positions of a network. The angles are computed in the order and type of timm's
 * (layers/pos_embed_sincos.py), which rounds frequencies, coordinates and angles to f32. */
#include "core/graph/ops/heads/rope.h"
#include <string.h>
#include "core/vit/shape.h"

int64_t pf_rope_tables(const pf_vit_shape *s)
{
    return s->rope.kind == PF_ROPE_NONE ? 0 : s->rope.kind == PF_ROPE_MIXED ? s->depth * s->heads : 1;
}

/* The coordinate of row or column i, of `count` ones. */
static pk_real coordinate(const pf_vit_shape *s, int64_t i, int64_t count)
{
    const pk_real side = (pk_real)count, offset = (pk_real)s->rope.offset;
    if (s->rope.kind == PF_ROPE_CENTRED) return 2 * (((pk_real)i + (pk_real)0.5 + offset) / side) - 1;
    const pk_real at = (pk_real)i + offset;
    return s->rope.reference ? at / side * (pk_real)s->rope.reference : at;
}

/* The angle of frequency i, of the n of a coordinate, at coordinate x. */
static pk_real angle_of(const pf_vit_shape *s, pk_real x, int64_t i, int64_t n)
{
    const pk_real exponent = (pk_real)i / (pk_real)n, period = (pk_real)pow(s->rope.temperature, (double)exponent);
    const double two_pi = 6.28318530717958647692;
    return s->rope.kind == PF_ROPE_CENTRED ? (pk_real)two_pi * x / period : x * (1 / period);
}

/* One table for all heads: the first `count` angles of a row are those of the first coordinate, the others those of the
 * second. */
static void fill_axial(const pf_vit_shape *s, pk_real *table)
{
    const int64_t n = s->width / s->heads, count = n / 4;
    const pf_grid grid = pf_vit_grid(s);
    const int64_t extent[2] = { s->rope.xy ? grid.w : grid.h, s->rope.xy ? grid.h : grid.w };
    for (int64_t p = 0; p < pf_grid_area(grid); p++) {
        pk_real *row = table + p * 2 * n, at[2];
        pf_rope_coordinates(p, grid.w, s->rope.xy, at);
        for (int64_t i = 0; i < 2 * count; i++)
            pf_rope_set(row, i, n, s->rope.halves,
                        angle_of(s, coordinate(s, (int64_t)at[i / count], extent[i / count]), i % count, count));
    }
}

void pf_rope_fill(const pf_vit_shape *s, const pk_real *freqs, pk_real *tables)
{
    const int64_t columns = pf_vit_grid(s).w, patches = pf_vit_patches(s), n = s->width / s->heads, half = n / 2;
    const int64_t second = s->depth * s->heads * half;          /* offset of the second coordinate's frequencies */
    if (s->rope.kind != PF_ROPE_MIXED) {
        fill_axial(s, tables);
        return;
    }
    for (int64_t k = 0; k < s->depth * s->heads; k++)
        for (int64_t p = 0; p < patches; p++) {
            pk_real at[2];
            pf_rope_coordinates(p, columns, s->rope.xy, at);
            pf_rope_mixed_row(freqs + k * half, freqs + second + k * half, at, half,
                              tables + (k * patches + p) * 2 * n);
        }
}
