/* SPDX-License-Identifier: Apache-2.0
 * source.c -- checks, before parameters are allocated, that the file from which they will be read can hold them.
 * Otherwise a damaged file of a few kilobytes could ask, by the options stored in it, for gigabytes. */
#include <string.h>
#include "core/adapt/adapter.h"

peft_status pf_state_fits(const pf_st *st, const char *name, int ndim, const int64_t *dims)
{
    const pf_st_tensor *t = pf_st_find(st, name);
    char given[96], expected[96];
    if (!t) return pf_fail(PEFT_E_FORMAT, "tensor '%s' is missing", name);
    if (t->ndim == ndim && !memcmp(t->dim, dims, sizeof(int64_t) * (size_t)ndim)) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "tensor '%s': given %s, expected %s", name,
                   pf_dims_text(given, sizeof given, t->ndim, t->dim),
                   pf_dims_text(expected, sizeof expected, ndim, dims));
}

/* Elements of all tensors. No overflow: a file has fewer than 2^63 bytes, and every type at least one. */
static int64_t count_elements(const pf_st *st)
{
    int64_t n = 0;
    for (size_t i = 0; i < pf_st_count(st); i++) n += pf_dims_count(pf_st_at(st, i)->ndim, pf_st_at(st, i)->dim);
    return n;
}

/* The budget is much larger than the file, so that for a file that only lacks some tensors the later error, which names
 * them, is reported. */
pf_source pf_source_of(const pf_st *st, bool named)
{
    enum { FACTOR = 16, MARGIN = 1 << 16 };
    const int64_t n = count_elements(st);
    return (pf_source){ .file = st, .named = named,
                        .budget = n > INT64_MAX / FACTOR - MARGIN ? n : FACTOR * n + MARGIN };
}

peft_status pf_source_holds(pf_source *s, const char *name, int ndim, const int64_t *dims)
{
    if (!s || !s->file) return PEFT_OK;
    if (s->named) return pf_state_fits(s->file, name, ndim, dims);
    const int64_t count = pf_dims_count(ndim, dims);
    if (count < 0 || count > s->budget)
        return pf_fail(PEFT_E_FORMAT, "parameter '%s': the configuration asks for many more elements than the file has "
                       "(%lld)", name, (long long)count_elements(s->file));
    s->budget -= count;
    return PEFT_OK;
}
