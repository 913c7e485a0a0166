/* SPDX-License-Identifier: Apache-2.0
 * st_table.c -- the table of the tensors of an open file (pf_st), whatever its format: look-up by name, metadata,
 * copies of tensors that are not contiguous. */
#include "core/format/st_table.h"
#include <stdlib.h>
#include <string.h>

peft_status pf_st_create(peft_context *ctx, pf_map *map, pf_st **out)
{
    pf_st *st = pf_alloc_zero(ctx, sizeof *st);
    if (!st) {
        pf_map_close(map);
        return pf_nomem("table of tensors", sizeof *st);
    }
    st->ctx = pf_context_retain(ctx);
    st->map = map;
    *out = st;
    return PEFT_OK;
}

peft_status pf_st_allocate(pf_st *st, size_t text)
{
    st->tensor = pf_alloc_zero(st->ctx, st->count * sizeof *st->tensor);
    st->by_name = pf_alloc(st->ctx, st->count * sizeof *st->by_name);
    st->meta = pf_alloc(st->ctx, st->meta_count * sizeof *st->meta);
    st->by_key = pf_alloc(st->ctx, st->meta_count * sizeof *st->by_key);
    st->text = pf_alloc(st->ctx, text);
    if (st->tensor && st->by_name && st->meta && st->by_key && st->text) return PEFT_OK;
    return pf_nomem("table of tensors", text + st->count * sizeof *st->tensor);
}

const char *pf_st_copy_text(char **next, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = memcpy(*next, s, n);
    *next += n;
    return copy;
}

/* For qsort: order by the place of the data; an empty tensor comes before another one at the same place. */
static int by_place(const void *a, const void *b)
{
    const pf_st_tensor *x = a, *y = b;
    if (x->data != y->data) return (const uint8_t *)x->data < (const uint8_t *)y->data ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

void pf_st_sort_by_place(pf_st *st)
{
    if (st->count) qsort(st->tensor, st->count, sizeof *st->tensor, by_place);
}

/* For qsort: order of by_name, and of by_key below. */
static int by_name(const void *a, const void *b)
{
    return strcmp((*(const pf_st_tensor *const *)a)->name, (*(const pf_st_tensor *const *)b)->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(const pf_st_pair *const *)a)->key, (*(const pf_st_pair *const *)b)->key);
}

peft_status pf_st_index(pf_st *st)
{
    for (size_t i = 0; i < st->count; i++) st->by_name[i] = st->tensor + i;
    for (size_t i = 0; i < st->meta_count; i++) st->by_key[i] = st->meta + i;
    if (st->count) qsort(st->by_name, st->count, sizeof *st->by_name, by_name);
    if (st->meta_count) qsort(st->by_key, st->meta_count, sizeof *st->by_key, by_key);
    for (size_t i = 1; i < st->count; i++)
        if (!strcmp(st->by_name[i - 1]->name, st->by_name[i]->name))
            return pf_fail(PEFT_E_FORMAT, "tensor '%.80s': occurs twice; expected each name once",
                           st->by_name[i]->name);
    return PEFT_OK;
}

/* For bsearch: compare a key or name with an element of by_key or by_name. */
static int compare_key(const void *key, const void *p) { return strcmp(key, (*(const pf_st_pair *const *)p)->key); }
static int compare_name(const void *name, const void *t)
{
    return strcmp(name, (*(const pf_st_tensor *const *)t)->name);
}

void pf_st_close(pf_st *st)
{
    if (!st) return;
    peft_context *ctx = st->ctx;
    for (size_t i = 0; i < st->parts; i++) pf_st_close(st->part[i]);
    for (pf_st_copy *c = st->copies, *next; c; c = next) {
        next = c->next;
        pf_free(ctx, c);
    }
    pf_map_close(st->map);
    pf_free(ctx, st->part);
    pf_free(ctx, st->tensor);
    pf_free(ctx, st->by_name);
    pf_free(ctx, st->meta);
    pf_free(ctx, st->by_key);
    pf_free(ctx, st->text);
    pf_free(ctx, st->numbers);
    pf_free(ctx, st);
    peft_context_free(ctx);
}

void pf_st_evict(const pf_st *st, const pf_st_tensor *t)
{
    const uint8_t *data = t->data, *file = st->map ? pf_map_data(st->map) : NULL;
    if (file && data >= file && data < file + pf_map_size(st->map)) pf_map_evict(st->map, data, t->bytes);
    for (size_t i = 0; i < st->parts; i++) pf_st_evict(st->part[i], t);
}

/* Copies the elements of t over the axes from `axis` on, the first of which is at `from`, row-major to *to, and moves
 * *to behind them. element: the bytes of one. */
static void gather(const pf_st_tensor *t, int axis, size_t element, const uint8_t *from, uint8_t **to)
{
    const size_t step = (size_t)t->stride[axis] * element;
    for (int64_t i = 0; i < t->dim[axis]; i++, from += step) {
        if (axis + 1 < t->ndim) gather(t, axis + 1, element, from, to);
        else {
            memcpy(*to, from, element);
            *to += element;
        }
    }
}

peft_status pf_st_fetch(pf_st *st, const pf_st_tensor *t)
{
    enum { HEADER = 64 };                                /* in front of the copied elements, which stay aligned */
    pf_st_tensor *own = st->tensor + (t - st->tensor);
    if (!t->stride) return PEFT_OK;
    if (t->bytes > st->copies_left)
        return pf_fail(PEFT_E_FORMAT, "tensor '%.80s': its elements overlap in the file, and with the other tensors of "
                       "this kind it has more than the %zu bytes that may be copied; save contiguous tensors", t->name,
                       st->copies_left);
    pf_st_copy *copy = pf_alloc(st->ctx, HEADER + t->bytes);
    if (!copy) return pf_nomem(t->name, HEADER + t->bytes);
    copy->next = st->copies;
    st->copies = copy;
    st->copies_left -= t->bytes;
    uint8_t *to = (uint8_t *)copy + HEADER;
    const size_t element = t->bytes / (size_t)pf_dims_count(t->ndim, t->dim);
    gather(t, 0, element, t->data, &to);
    own->data = (uint8_t *)copy + HEADER;
    own->stride = NULL;
    return PEFT_OK;
}

size_t              pf_st_count(const pf_st *st) { return st->count; }
const pf_st_tensor *pf_st_at(const pf_st *st, size_t i) { return st->tensor + i; }
size_t              pf_st_meta_count(const pf_st *st) { return st->meta_count; }

const pf_st_tensor *pf_st_find(const pf_st *st, const char *name)
{
    if (!st->count) return NULL;
    const pf_st_tensor *const *t = bsearch(name, st->by_name, st->count, sizeof *st->by_name, compare_name);
    return t ? *t : NULL;
}

const char *pf_st_meta(const pf_st *st, const char *key)
{
    if (!st->meta_count) return NULL;
    const pf_st_pair *const *p = bsearch(key, st->by_key, st->meta_count, sizeof *st->by_key, compare_key);
    return p ? (*p)->value : NULL;
}

void pf_st_meta_at(const pf_st *st, size_t i, const char **key, const char **value)
{
    *key = st->meta[i].key;
    *value = st->meta[i].value;
}
