/* SPDX-License-Identifier: Apache-2.0
 * nearest.c -- exact Euclidean distances from pixels to the nearest of others, by the distance transform of separable
 * lower envelopes (Felzenszwalb and Huttenlocher, Theory of Computing 8, 2012) in the box that holds all of them. The
 * transform is computed slice by slice along the first axis and is never held as a whole: along that axis each column
 * has the list of its sources, whose nearest one is followed from slice to slice. */
#include <math.h>
#include "core/metrics/segmentation/maps.h"

typedef struct field {
    const pf_maps_pair *p;
    int64_t low[3], size[3], columns;  /* the box; columns along the first axis: size[1] * size[2] */
    int64_t *start, *next;             /* [columns + 1], [columns]: sources of a column, the first one not above z */
    int32_t *source;                   /* their positions along the first axis */
    double *square;                    /* [columns]: squared distances in a slice */
    double *f, *bound;                 /* [longest of size[1], size[2]]: of one line */
    int64_t *vertex;
} field;

static void position(const pf_maps_pair *p, int64_t pixel, int64_t *x)
{
    x[2] = pixel % p->size[2];
    x[1] = pixel / p->size[2] % p->size[1];
    x[0] = pixel / p->size[2] / p->size[1];
}

/* Enlarges the box from low to high by the pixels. */
static void enclose(const pf_maps_pair *p, const int64_t *at, int64_t n, int64_t *low, int64_t *high)
{
    int64_t x[3];
    for (int64_t i = 0; i < n; i++) {
        position(p, at[i], x);
        for (int k = 0; k < 3; k++) {
            if (x[k] < low[k]) low[k] = x[k];
            if (x[k] > high[k]) high[k] = x[k];
        }
    }
}

static int64_t column_of(const field *d, int64_t pixel, int64_t *z)
{
    int64_t x[3];
    position(d->p, pixel, x);
    *z = x[0] - d->low[0];
    return (x[1] - d->low[1]) * d->size[2] + x[2] - d->low[2];
}

/* Sorts the sources, which ascend, by column. */
static void list_sources(field *d, const int64_t *to, int64_t n)
{
    int64_t z;
    for (int64_t i = 0; i < n; i++) d->start[column_of(d, to[i], &z) + 1]++;
    for (int64_t c = 0; c < d->columns; c++) {
        d->start[c + 1] += d->start[c];
        d->next[c] = d->start[c];
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t c = column_of(d, to[i], &z);
        d->source[d->next[c]++] = (int32_t)z;
    }
    for (int64_t c = 0; c < d->columns; c++) d->next[c] = d->start[c];
}

/* Squared distances along the first axis in slice z; infinite in a column without sources. Slices must ascend. */
static void along_columns(field *d, int64_t z)
{
    for (int64_t c = 0; c < d->columns; c++) {
        int64_t k = d->next[c];
        while (k < d->start[c + 1] && d->source[k] < z) k++;
        d->next[c] = k;
        double nearest = INFINITY;
        if (k > d->start[c]) nearest = (double)(z - d->source[k - 1]);
        if (k < d->start[c + 1]) nearest = fmin(nearest, (double)(d->source[k] - z));
        d->square[c] = nearest * d->p->spacing[0] * (nearest * d->p->spacing[0]);
    }
}

/* Replaces n values f(q), `stride` elements apart, by the lower envelope: min over v of f(v) + (spacing (q - v))^2.
 * vertex: the parabolas of the envelope; bound: from where on each is the lowest. */
static void envelope(field *d, double *values, int64_t stride, int64_t n, double spacing)
{
    const double unit = spacing * spacing;
    int64_t k = -1;
    for (int64_t q = 0; q < n; q++) {
        d->f[q] = values[q * stride];
        if (isinf(d->f[q])) continue;
        double at = -INFINITY;
        for (; k >= 0; k--) {
            const int64_t v = d->vertex[k];
            at = ((d->f[q] - d->f[v]) / unit + (double)(q * q - v * v)) / (double)(2 * (q - v));
            if (at > d->bound[k]) break;
        }
        k++;
        d->bound[k] = k > 0 ? at : -INFINITY;
        d->vertex[k] = q;
    }
    const int64_t last = k;
    k = 0;
    for (int64_t q = 0; last >= 0 && q < n; q++) {
        while (k < last && d->bound[k + 1] < (double)q) k++;
        const double off = spacing * (double)(q - d->vertex[k]);
        values[q * stride] = off * off + d->f[d->vertex[k]];
    }
}

/* Distances of the pixels, slice by slice; in a slice first along the second axis, then along the third in each row
 * that has pixels. */
static void measure(field *d, const int64_t *from, int64_t m, double *distance)
{
    int64_t slice = -1, row = -1, z;
    for (int64_t i = 0; i < m; i++) {
        const int64_t c = column_of(d, from[i], &z);
        if (z != slice) {
            along_columns(d, z);
            for (int64_t x = 0; d->size[1] > 1 && x < d->size[2]; x++)
                envelope(d, d->square + x, d->size[2], d->size[1], d->p->spacing[1]);
            row = -1;
        }
        if (c / d->size[2] != row) {
            row = c / d->size[2];
            envelope(d, d->square + row * d->size[2], 1, d->size[2], d->p->spacing[2]);
        }
        slice = z;
        distance[i] = sqrt(d->square[c]);
    }
}

peft_status pf_nearest_distances(peft_context *ctx, const pf_maps_pair *p, const int64_t *from, int64_t m,
                                 const int64_t *to, int64_t n, double *distance)
{
    field d = { .p = p, .low = { p->size[0], p->size[1], p->size[2] } };
    int64_t high[3] = { -1, -1, -1 };
    enclose(p, from, m, d.low, high);
    enclose(p, to, n, d.low, high);
    for (int k = 0; k < 3; k++) d.size[k] = high[k] - d.low[k] + 1;
    d.columns = d.size[1] * d.size[2];
    const int64_t line = d.size[1] > d.size[2] ? d.size[1] : d.size[2];
    /* one block: start [columns + 1], next [columns], vertex [line], square [columns], f and bound [line], source */
    const size_t bytes = (size_t)(3 * d.columns + 1 + 3 * line) * sizeof(double) + (size_t)n * sizeof(int32_t);
    d.start = pf_alloc_zero(ctx, bytes);
    if (!d.start) return pf_nomem("distances of surfaces", bytes);
    d.next = d.start + d.columns + 1;
    d.vertex = d.next + d.columns;
    d.square = (double *)(void *)(d.vertex + line);
    d.f = d.square + d.columns;
    d.bound = d.f + line;
    d.source = (int32_t *)(void *)(d.bound + line);
    list_sources(&d, to, n);
    measure(&d, from, m, distance);
    pf_free(ctx, d.start);
    return PEFT_OK;
}
