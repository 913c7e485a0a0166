/* SPDX-License-Identifier: Apache-2.0
 * series.c -- peft_dicom_header_sort: files grouped by series, and those of each in the order of their slices. */
#include "io/format/dicom/header.h"
#include "io/words.h"
#include <math.h>

/* What decides the place of file `index`. group: the first file of its series in the given order; distance: along the
 * normal of the slices, in micrometres. */
typedef struct rank { int64_t index, group, distance; double number; } rank;

static int by_rank(const void *a, const void *b)
{
    const rank *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* Sets the unit normal of the slices: the cross product of the directions of a row and of a column. False: the header
 * has no position and orientation, or the two directions do not span a plane. */
static bool find_normal(const io_dicom_place *p, double normal[3])
{
    const double *row = p->orientation, *column = p->orientation + 3;
    if (!p->placed) return false;
    for (int i = 0; i < 3; i++) {
        const int j = (i + 1) % 3, k = (i + 2) % 3;
        normal[i] = row[j] * column[k] - row[k] * column[j];
    }
    const double length = sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]);
    for (int i = 0; i < 3; i++) normal[i] /= length;
    return length > 1e-6;
}

static double dot(const double a[3], const double b[3]) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

/* Whether the slices of a series, r[n], lie one behind the other: all have a position, and one orientation within less
 * than a degree. Sets the normal of the first one. */
static bool is_stack(const peft_dicom_header *const *h, const rank *r, int64_t n, double normal[3])
{
    const double least_cosine = 0.9999;
    double other[3];
    if (!find_normal(io_dicom_place_of(h[r[0].index]), normal)) return false;
    for (int64_t i = 1; i < n; i++) {
        const bool found = find_normal(io_dicom_place_of(h[r[i].index]), other);
        if (!found || !(dot(normal, other) >= least_cosine)) return false;
    }
    return true;
}

/* Fills distance and number of the files of a series by the rule that all of them can follow. */
static void rank_series(const peft_dicom_header *const *h, rank *r, int64_t n)
{
    double normal[3];
    bool numbered = true;
    for (int64_t i = 0; i < n; i++) numbered &= io_dicom_place_of(h[r[i].index])->numbered;
    for (int64_t i = 0; i < n && numbered; i++) r[i].number = io_dicom_place_of(h[r[i].index])->number;
    if (!is_stack(h, r, n, normal)) return;
    for (int64_t i = 0; i < n; i++)
        r[i].distance = (int64_t)llround(1000 * dot(normal, io_dicom_place_of(h[r[i].index])->position));
}

/* Ranks all files; those of a series are adjacent in `by_series`, in the given order. Files without a header are one
 * group behind all others. */
static void rank_files(const peft_dicom_header *const *h, int64_t count, io_named *by_series, rank *r)
{
    int64_t known = 0;
    for (int64_t i = 0; i < count; i++)
        if (h[i]) by_series[known++] = (io_named){ peft_dicom_header_text(h[i], "series"), i };
    io_sort_named(by_series, known);
    for (int64_t i = 0, end; i < known; i = end) {
        for (end = i; end < known && !strcmp(by_series[end].name, by_series[i].name); end++)
            r[end] = (rank){ .index = by_series[end].i, .group = by_series[i].i };
        rank_series(h, r + i, end - i);
    }
    for (int64_t i = 0, k = known; i < count; i++)
        if (!h[i]) r[k++] = (rank){ .index = i, .group = count };
    if (count) qsort(r, (size_t)count, sizeof *r, by_rank);
}

peft_status peft_dicom_header_sort(peft_context *ctx, const peft_dicom_header *const *headers, int64_t count,
                                   int64_t *order, int64_t *series)
{
    if (!ctx || !headers || !order)
        return io_fail(PEFT_E_INVALID, "sorting of DICOM headers: %s is NULL",
                       !ctx ? "ctx" : headers ? "order" : "headers");
    if (count < 0)
        return io_fail(PEFT_E_INVALID, "sorting of DICOM headers: count is %lld, expected 0 or more", (long long)count);
    io_named *by_series = io_alloc(ctx, count + 1, sizeof *by_series);
    rank *r = io_alloc(ctx, count + 1, sizeof *r);
    peft_status s = by_series && r ? PEFT_OK : io_nomem("sorting of DICOM headers");
    if (!s) rank_files(headers, count, by_series, r);
    for (int64_t i = 0, number = -1; i < count && !s; i++) {
        number += !i || r[i].group != r[i - 1].group;
        order[i] = r[i].index;
        if (series) series[i] = r[i].group < count ? number : -1;
    }
    peft_sys_free(ctx, by_series);
    peft_sys_free(ctx, r);
    return s;
}
