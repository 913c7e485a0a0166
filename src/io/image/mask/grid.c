/* SPDX-License-Identifier: Apache-2.0
 * grid.c -- io_grid: follows the pixels of a picture through crops, flips and resizes, and moves a mask by them. */
#include "io/image/mask/mask.h"

static peft_status alloc_axis(peft_context *ctx, int64_t n, int64_t **out)
{
    *out = n < 1 ? NULL : io_alloc(ctx, n, sizeof **out);
    return *out ? PEFT_OK : io_nomem("mask");
}

peft_status io_grid_make(peft_context *ctx, int64_t width, int64_t height, io_grid *out)
{
    *out = (io_grid){ .ctx = ctx, .width = width, .height = height };
    peft_status s = alloc_axis(ctx, width, &out->column);
    if (!s) s = alloc_axis(ctx, height, &out->row);
    for (int64_t x = 0; x < width && !s; x++) out->column[x] = x;
    for (int64_t y = 0; y < height && !s; y++) out->row[y] = y;
    return s;
}

void io_grid_free(io_grid *g)
{
    peft_sys_free(g->ctx, g->column);
    peft_sys_free(g->ctx, g->row);
    g->column = g->row = NULL;
}

int64_t io_mirrored(int64_t i, int64_t size)
{
    const int64_t period = size > 1 ? 2 * (size - 1) : 1;
    const int64_t phase = (i % period + period) % period;     /* i modulo period, 0..period-1 also for a negative i */
    return phase < size ? phase : period - phase;
}

/* Replaces an axis of `size` entries by the part of `length` entries from start on. */
static peft_status cut(peft_context *ctx, int64_t **axis, int64_t *size, int64_t start, int64_t length, bool mirrored)
{
    int64_t *next;
    peft_status s = alloc_axis(ctx, length, &next);
    if (s) return s;
    for (int64_t i = 0; i < length; i++) {
        const int64_t at = mirrored ? io_mirrored(start + i, *size) : start + i;
        next[i] = at < 0 || at >= *size ? IO_OUTSIDE : (*axis)[at];
    }
    peft_sys_free(ctx, *axis);
    *axis = next;
    *size = length;
    return PEFT_OK;
}

peft_status io_grid_part(io_grid *g, const io_part *p, bool mirrored)
{
    peft_status s = cut(g->ctx, &g->column, &g->width, p->left, p->width, mirrored);
    return s ? s : cut(g->ctx, &g->row, &g->height, p->top, p->height, mirrored);
}

/* Replaces an axis by its resize to `scaled` entries, of which `length` from start on are kept. The positions are those
 * of the filter nearest. */
static peft_status scale(peft_context *ctx, int64_t **axis, int64_t *size, int64_t scaled, int64_t start,
                         int64_t length)
{
    const int64_t begin = start < 0 ? 0 : start, end = start + length < scaled ? start + length : scaled;
    io_weights w;
    int64_t *next;
    peft_status s = io_weights_make(ctx, *size, scaled, begin, end - begin, IO_NEAREST, &w);
    if (s) return s;
    if (!(s = alloc_axis(ctx, length, &next))) {
        for (int64_t i = 0; i < length; i++) {
            const int64_t at = start + i;
            next[i] = at < begin || at >= end ? IO_OUTSIDE : (*axis)[w.first[at - begin]];
        }
        peft_sys_free(ctx, *axis);
        *axis = next;
        *size = length;
    }
    io_weights_free(&w);
    return s;
}

peft_status io_grid_scale(io_grid *g, const io_scaling *s)
{
    peft_status status = scale(g->ctx, &g->column, &g->width, s->width, s->part.left, s->part.width);
    return status ? status : scale(g->ctx, &g->row, &g->height, s->height, s->part.top, s->part.height);
}

void io_grid_flip(io_grid *g)
{
    for (int64_t x = 0; x < g->width / 2; x++) {
        const int64_t other = g->width - 1 - x, kept = g->column[x];
        g->column[x] = g->column[other];
        g->column[other] = kept;
    }
}

peft_status io_mask_move(const peft_mask *m, const io_grid *g, peft_mask **out)
{
    peft_mask *to;
    peft_status s = io_mask_new(m->ctx, g->width, g->height, m->classes, m->multilabel, &to);
    if (s) return s;
    int16_t *v = to->value;
    to->outside = m->outside;
    for (int64_t y = 0; y < g->height; y++)
        for (int64_t x = 0; x < g->width; x++, v += m->planes) {
            const bool outside = g->column[x] == IO_OUTSIDE || g->row[y] == IO_OUTSIDE;
            const int16_t *from = outside ? NULL : m->value + (g->row[y] * m->width + g->column[x]) * m->planes;
            for (int64_t c = 0; c < m->planes; c++) v[c] = outside ? m->outside : from[c];
        }
    *out = to;
    return PEFT_OK;
}
