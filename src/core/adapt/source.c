/* SPDX-License-Identifier: Apache-2.0
 * source.c -- the file that parameters are made for: what it does not hold is refused before memory is taken for it. A
 * file of a few kilobytes may ask, by its options, for gigabytes. */
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

/* Of all tensors; a file has fewer than 2^63 bytes, and a type less than one byte is none of ours. */
static int64_t numbers_in(const pf_st *st)
{
    int64_t n = 0;
    for (size_t i = 0; i < pf_st_count(st); i++) n += pf_dims_count(pf_st_at(st, i)->ndim, pf_st_at(st, i)->dim);
    return n;
}

/* Without names the bound is loose, so that a file that lacks some tensors is still told which. */
pf_source pf_source_of(const pf_st *st, bool named)
{
    enum { TIMES = 16, FEW = 1 << 16 };
    const int64_t n = numbers_in(st);
    return (pf_source){ .file = st, .named = named, .left = n > INT64_MAX / TIMES - FEW ? n : TIMES * n + FEW };
}

peft_status pf_source_holds(pf_source *s, const char *name, int ndim, const int64_t *dims)
{
    if (!s || !s->file) return PEFT_OK;
    if (s->named) return pf_state_fits(s->file, name, ndim, dims);
    const int64_t count = pf_dims_count(ndim, dims);
    if (count < 0 || count > s->left)
        return pf_fail(PEFT_E_FORMAT, "parameter '%s': the configuration asks for many more numbers than the file has "
                       "(%lld)", name, (long long)numbers_in(s->file));
    s->left -= count;
    return PEFT_OK;
}
