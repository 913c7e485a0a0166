/* SPDX-License-Identifier: Apache-2.0
 * source.c -- checks, before parameters are allocated, that the file from which they will be read can hold them.
 * Otherwise a damaged file of a few kilobytes could ask, by the options stored in it, for gigabytes. */
#include <string.h>
#include "core/adapt/adapter.h"

/* Compares the extents of the file's tensor with the expected ones; the message names the tensor. */
peft_status pf_check_stored_extents(const pf_st *st, const char *name, int ndim, const int64_t *dims)
{
    const pf_st_tensor *t = pf_st_find(st, name);
    char given[96], expected[96];
    if (!t) return pf_fail(PEFT_E_FORMAT, "tensor '%s' is missing", name);
    if (t->ndim == ndim && !memcmp(t->dim, dims, sizeof(int64_t) * (size_t)ndim)) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "tensor '%s': given %s, expected %s", name,
                   pf_dims_text(given, sizeof given, t->ndim, t->dim),
                   pf_dims_text(expected, sizeof expected, ndim, dims));
}

/* Elements of all tensors. The sum cannot overflow: a file has fewer than 2^63 bytes, and an element at least one. */
static int64_t count_elements(const pf_st *st)
{
    int64_t n = 0;
    for (size_t i = 0; i < pf_st_count(st); i++) n += pf_dims_count(pf_st_at(st, i)->ndim, pf_st_at(st, i)->dim);
    return n;
}

pf_source pf_source_same_names(const pf_st *st) { return (pf_source){ .file = st, .same_names = true }; }

/* The budget is 16 times the file's elements and more, so that a file that lacks a few tensors passes here: the error
 * that reading it reports later names them. */
pf_source pf_source_other_names(const pf_st *st)
{
    enum { FACTOR = 16, MARGIN = 1 << 16 };
    const int64_t n = count_elements(st);
    return (pf_source){ .file = st, .budget = n > INT64_MAX / FACTOR - MARGIN ? n : FACTOR * n + MARGIN };
}

/* Checks a parameter before its memory is allocated. */
peft_status pf_source_check(pf_source *s, const char *name, int ndim, const int64_t *dims)
{
    if (!s || !s->file) return PEFT_OK;
    if (s->same_names) return pf_check_stored_extents(s->file, name, ndim, dims);
    const int64_t count = pf_dims_count(ndim, dims);
    if (count < 0 || count > s->budget)
        return pf_fail(PEFT_E_FORMAT, "parameter '%s': the configuration asks for many more elements than the file has "
                       "(%lld)", name, (long long)count_elements(s->file));
    s->budget -= count;
    return PEFT_OK;
}
