/* SPDX-License-Identifier: Apache-2.0
 * golden_compare.c -- finds the tensors of a file of golden vectors, compares results with them and records the errors
 * in the report (golden.h). */
#include "golden.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Declares a buffer `text` and formats the variadic arguments of the function into it. */
#define FORMAT_INTO(text, format) \
    char text[160]; \
    do { va_list args_; va_start(args_, format); vsnprintf(text, sizeof text, format, args_); va_end(args_); } while (0)

void *golden_memory(golden *g, size_t bytes)
{
    void **block = calloc(1, bytes + 64);
    if (!block) abort();
    *block = g->blocks;
    g->blocks = block;
    return (char *)block + 64 - (uintptr_t)block % 64;        /* at least 16 bytes in front: the list's pointer */
}

const pf_st_tensor *golden_find(const golden *g, const char *format, ...)
{
    FORMAT_INTO(name, format);
    return pf_st_find(g->file, name);
}

/* Records a comparison in the report; prints it if it failed. A limit of 0 allows no error. */
static void note(golden *g, double error, double limit, const char *name)
{
    golden_report *r = g->report;
    double ratio = error / limit;
    if (!(limit > 0)) ratio = error <= limit ? 0 : INFINITY;
    r->checks++;
    if (!(ratio <= 1)) {
        r->failures++;
        printf("  %s%s%s: error %.3g, limit %.3g\n", g->isa ? g->isa : "", g->isa ? " " : "", name, error, limit);
    }
    if (r->checks > 1 && ratio <= r->ratio) return;
    r->ratio = ratio;
    r->error = error;
    r->limit = limit;
    snprintf(r->what, sizeof r->what, "%s%s%s", g->isa ? g->isa : "", g->isa ? " " : "", name);
}

void golden_note(golden *g, double error, double limit, const char *format, ...)
{
    FORMAT_INTO(name, format);
    note(g, error, limit, name);
}

void golden_fail(golden *g, const char *format, ...)
{
    FORMAT_INTO(text, format);
    note(g, INFINITY, 0, text);
}

bool golden_ok(golden *g, peft_status s, const char *what)
{
    if (s) golden_fail(g, "%s: %s", what, peft_last_error());
    return !s;
}

void *golden_raw(golden *g, const pf_st_tensor *t)
{
    void *copy = golden_memory(g, t->bytes);
    memcpy(copy, t->data, t->bytes);
    return copy;
}

static int64_t elements(const pf_st_tensor *t) { return pf_dims_count(t->ndim, t->dim); }

/* The values of a tensor as pk_real; NULL after a failure. */
static pk_real *values_of(golden *g, const pf_st_tensor *t, const char *name)
{
    if (!t) {
        golden_fail(g, "%s is missing", name);
        return NULL;
    }
    pk_real *v = golden_memory(g, (size_t)elements(t) * sizeof *v);
    if (pf_to_real(v, golden_raw(g, t), t->type, elements(t))) return v;
    golden_fail(g, "%s has type %s", name, t->type_name);
    return NULL;
}

pk_real *golden_real(golden *g, const char *format, ...)
{
    FORMAT_INTO(name, format);
    return values_of(g, pf_st_find(g->file, name), name);
}

/* The tensor to compare with; a failure when it is missing or has another number of elements. */
static const pf_st_tensor *expected(golden *g, const char *name, int64_t n)
{
    const pf_st_tensor *t = pf_st_find(g->file, name);
    if (!t) golden_fail(g, "%s is missing", name);
    else if (elements(t) != n)
        golden_fail(g, "%s has %lld elements, not %lld", name, (long long)elements(t), (long long)n);
    else return t;
    return NULL;
}

void golden_l2(golden *g, const pk_real *got, int64_t n, double limit, const char *format, ...)
{
    FORMAT_INTO(name, format);
    const pf_st_tensor *t = expected(g, name, n);
    const pk_real *want = t ? values_of(g, t, name) : NULL;
    if (!want) return;
    double squares = 0, norm = 0, largest_error = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)got[i] - (double)want[i];
        squares += d * d;
        norm += (double)want[i] * (double)want[i];
        if (!(fabs(d) <= largest_error)) largest_error = fabs(d);
        largest = fmax(largest, fabs((double)want[i]));
    }
    if (largest < 1e-6) note(g, largest_error, 1e-6, name);
    else if (sizeof(pk_real) == sizeof(double)) note(g, largest_error / largest, 1e-6, name);
    else note(g, sqrt(squares / norm), limit, name);
}

/* Element i of an f32 or f64 tensor. */
static double value(const pf_st_tensor *t, int64_t i)
{
    float f;
    double d;
    if (t->type == PEFT_F64) {
        memcpy(&d, (const char *)t->data + (size_t)i * sizeof d, sizeof d);
        return d;
    }
    memcpy(&f, (const char *)t->data + (size_t)i * sizeof f, sizeof f);
    return (double)f;
}

void golden_loss(golden *g, double got, const char *format, ...)
{
    FORMAT_INTO(name, format);
    const pf_st_tensor *t = expected(g, name, 1);
    if (!t) return;
    const double want = value(t, 0);
    note(g, fabs(got - want), fmax(1e-5 * fabs(want), 2e-6), name);
}

void golden_each(golden *g, const double *got, int64_t n, double scale, double limit, const char *format, ...)
{
    FORMAT_INTO(name, format);
    const pf_st_tensor *t = expected(g, name, n);
    if (!t) return;
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        const double want = value(t, i);
        if (isnan(want) && isnan(got[i])) continue;
        const double unit = fmax(fabs(want), scale), error = got[i] == want ? 0 : fabs(got[i] - want) / unit;
        if (!(error <= worst)) worst = error;
    }
    note(g, worst, limit, name);
}

void golden_bits(golden *g, const void *got, size_t bytes, const char *format, ...)
{
    FORMAT_INTO(name, format);
    const pf_st_tensor *t = pf_st_find(g->file, name);
    if (!t) { golden_fail(g, "%s is missing", name); return; }
    if (t->bytes != bytes) { golden_fail(g, "%s has %zu bytes, not %zu", name, t->bytes, bytes); return; }
    size_t differ = 0;
    for (size_t i = 0; i < bytes; i++) differ += ((const uint8_t *)got)[i] != ((const uint8_t *)t->data)[i];
    note(g, (double)differ, 0, name);
}

void golden_cases(golden *g, const char *end, void (*fn)(golden *g, const char *name))
{
    const char *front = "expect.";
    for (size_t i = 0; i < pf_st_count(g->file); i++) {
        const char *name = pf_st_at(g->file, i)->name;
        const size_t whole = strlen(name), around = strlen(front) + strlen(end);       /* lengths */
        char middle[100];
        if (strncmp(name, front, strlen(front)) || whole < around || strcmp(name + whole - strlen(end), end)) continue;
        snprintf(middle, sizeof middle, "%.*s", (int)(whole - around), name + strlen(front));
        fn(g, middle);
    }
}
