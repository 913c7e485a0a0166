/* SPDX-License-Identifier: Apache-2.0
 * case_means.c -- means over classes, and images of a case (case_means.h). */
#include "case_means.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

bool any_millimetres(const case_table *f)
{
    bool any = false;
    for (int64_t i = 0; i < f->cases; i++) any |= f->millimetres[i];
    return any;
}

double counted_value(const case_table *f, bool millimetres, int kind, int64_t i, int64_t c)
{
    const double v = f->value[kind][i * f->classes + c];
    return isinf(v) || (is_case_distance(kind) && millimetres && !f->millimetres[i]) ? NAN : v;
}

double case_mean(const case_table *f, int kind, int64_t i)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t c = first_counted_class(f->classes); c < f->classes; c++) {
        const double v = counted_value(f, f->millimetres[i], kind, i, c);
        if (!isnan(v)) sum += v, n++;
    }
    return n ? sum / (double)n : NAN;
}

/* The part of the name of a volume behind its file, whose slices become first to last; NULL: it is a single image. */
static const char *slices_of(const char *name, long long *first, long long *last)
{
    const char *hash = strrchr(name, '#');
    int end = 0;
    if (!hash || sscanf(hash, "#slices=%lld-%lld%n", first, last, &end) != 2 || hash[end]) return NULL;
    return *first >= 0 && *last > *first ? hash : NULL;
}

int64_t images_of_case(const char *name)
{
    long long first, last;
    return slices_of(name, &first, &last) ? last - first + 1 : 1;
}

bool begins_case(const char *name, const char *image)
{
    long long first, last, slice;
    const char *hash = slices_of(name, &first, &last);
    int end = 0;
    if (!hash) return !strcmp(name, image);
    const size_t file = (size_t)(hash - name);
    return !strncmp(name, image, file) && sscanf(image + file, "#slice=%lld%n", &slice, &end) == 1 &&
           !image[file + (size_t)end] && slice == first;
}
