/* SPDX-License-Identifier: Apache-2.0
 * windows.c -- windows of maps (pk_windows) as a factor of a product, which make it a convolution: copies of parts of
 * them, which are packed like any other matrix, or multiplied by the system's BLAS strip by strip. */
#include <string.h>
#include "gemm_plan.h"

enum { STRIP = 256 };           /* rows of windows that are copied for the BLAS at a time */

/* Copies parts of consecutive rows of windows, `bytes` bytes each: rows before `first` and from `end` on are zeros.
 * from: what row `first` reads. */
static void copy_rows(char *to, int64_t to_row, const char *from, int64_t from_row, int64_t rows, int64_t first,
                      int64_t end, int64_t bytes)
{
    for (int64_t i = 0; i < rows; i++, to += to_row) {
        if (i < first || i >= end) {
            memset(to, 0, (size_t)bytes);
            continue;
        }
        int64_t b = 0;
        for (; b + PK_ALIGN <= bytes; b += PK_ALIGN) memcpy(to + b, from + b, PK_ALIGN);
        memcpy(to + b, from + b, (size_t)(bytes - b));
        from += from_row;
    }
}

static int64_t clamp(int64_t x, int64_t least, int64_t most) { return at_least(at_most(x, most), least); }

void pk_gemm_copy_windows(const pk_windows *w, const void *maps, int64_t pixel, int64_t size, int64_t row,
                          int64_t rows, int64_t column, int64_t columns, void *to)
{
    char *out = to;
    for (int64_t done = 0, run; done < rows; done += run, out += run * columns * size) {
        /* a run of pixels in one row of a map, from column x on */
        const int64_t i = row + done, y = i / w->width % w->height, x = i % w->width;
        run = at_most(w->width - x, rows - done);
        for (int64_t c = 0, part; c < columns; c += part) {
            const int64_t tap = (column + c) / w->channels, channel = (column + c) % w->channels;
            const int64_t dy = tap / w->kw - w->kh / 2, dx = tap % w->kw - w->kw / 2;
            const int inside = y + dy >= 0 && y + dy < w->height;
            const int64_t first = inside ? clamp(-(x + dx), 0, run) : run;
            const int64_t end = inside ? clamp(w->width - (x + dx), first, run) : run;
            part = at_most(w->channels - channel, columns - c);
            const int64_t source = first < end ? i + first + dy * w->width + dx : 0;
            copy_rows(out + c * size, columns * size, (const char *)maps + source * pixel + channel * size, pixel, run,
                      first, end, part * size);
        }
    }
}

/* Bytes of a copied strip, at most. */
static int64_t strip_bytes(const pk_gemm *g)
{
    return aligned(STRIP * (g->a_windows.channels ? g->k : g->n) * (int64_t)sizeof(pk_real));
}

/* A strip of B, and the same converted to pk_real. */
int64_t pk_gemm_windows_cblas_work(const pk_gemm *g)
{
    return g->b_type == PK_REAL ? strip_bytes(g) : 2 * strip_bytes(g);
}

/* A strip of windows that is copied by the threads, some rows each. */
typedef struct strip {
    const pk_windows *w;
    const char *maps;
    int64_t pixel, size, row, rows, columns;
    char *to;
} strip;

enum { ROWS_EACH = 16 };
static void copy_strip(void *arg, int64_t task, int worker)
{
    const strip *s = arg;
    const int64_t first = task * ROWS_EACH;
    (void)worker;
    pk_gemm_copy_windows(s->w, s->maps, s->pixel, s->size, s->row + first, at_most(ROWS_EACH, s->rows - first), 0,
                         s->columns, s->to + first * s->columns * s->size);
}

void pk_gemm_windows_cblas(const pk_table *t, pk_pool *pool, const pk_gemm *whole, void *work)
{
    const int of_a = whole->a_windows.channels > 0, threads = pk_pool_threads(pool);
    const int64_t rows = of_a ? whole->m : whole->k;
    char *const copy = (char *)work + pk_gemm_cblas_work(t, whole->m, whole->n, threads)
                     + (whole->b_type == PK_REAL ? 0 : strip_bytes(whole));      /* pk_gemm_cblas converts a strip */
    strip s = of_a ? (strip){ .w = &whole->a_windows, .maps = (const char *)whole->a, .size = (int64_t)sizeof(pk_real),
                              .pixel = whole->a_row * (int64_t)sizeof(pk_real), .columns = whole->k, .to = copy }
                   : (strip){ .w = &whole->b_windows, .maps = whole->b, .size = pk_dtype_size(whole->b_type),
                              .pixel = whole->b_row * pk_dtype_size(whole->b_type), .columns = whole->n, .to = copy };
    pk_gemm g = *whole;
    for (; s.row < rows; s.row += STRIP) {
        pk_gemm part = g;
        s.rows = at_most(STRIP, rows - s.row);
        pk_pool_run(pool, ceil_div(s.rows, ROWS_EACH), copy_strip, &s);
        part.a_windows = part.b_windows = (pk_windows){ 0 };
        if (of_a) {
            part.m = s.rows;
            part.a = (const pk_real *)(const void *)copy;
            part.a_row = s.columns;
            skip_rows(&g, s.rows);
        } else {                                /* C is the sum over the strips, which is added to it one by one */
            part.k = s.rows;
            part.b = copy;
            part.b_row = s.columns;
            part.a += s.row * g.a_col;
            part.accumulate = s.row > 0;
        }
        pk_gemm_cblas(t, pool, &part, work);
    }
}
