/* SPDX-License-Identifier: Apache-2.0
 * table.c -- opens a file of torch.save (torch.h): makes the table of its tensors. */
#include <stdlib.h>
#include <string.h>
#include "core/format/st_table.h"
#include "core/format/torch/torch.h"
#include "core/format/zip/zip.h"

bool pf_torch_recognise(const void *data, size_t size)
{
    const uint8_t *d = data;
    /* 0x80: opcode PROTO, then the protocol. A safetensors file begins so, too, if its header has such a length. */
    return pf_zip_recognise(data, size)
        || (size > 2 && d[0] == 0x80 && d[1] >= 2 && d[1] <= 5 && !pf_st_recognise(data, size));
}

static int key_order(const void *storage, const void *blob)
{
    const pf_storage *s = storage;
    const pf_torch_blob *b = blob;
    return pf_torch_compare_keys(s->key, s->key_length, b->key, b->key_length);
}

/* The bytes of the storage; NULL: the error is set. */
static const uint8_t *find_data(const pf_torch_file *f, const pf_storage *s)
{
    const pf_torch_blob *b = f->blobs ? bsearch(s, f->blob, f->blobs, sizeof *b, key_order) : NULL;
    const int shown = (int)(s->key_length < 40 ? s->key_length : 40);
    if (b && s->first + s->count <= b->bytes / s->type->bytes) return b->data + s->first * s->type->bytes;
    if (!b) pf_fail(PEFT_E_FORMAT, "storage '%.*s' is missing: the file is cut short, fetch it again", shown, s->key);
    else pf_fail(PEFT_E_FORMAT, "storage '%.*s' has %llu bytes; expected %llu elements of %zu: the file is damaged",
                 shown, s->key, (unsigned long long)b->bytes, (unsigned long long)s->count, s->type->bytes);
    return NULL;
}

/* Fills t, whose name is set, from the leaf. Strides, if t needs them, are put at *numbers, which moves behind them. */
static peft_status fill_tensor(const pf_torch_file *f, const pf_leaf *leaf, pf_st_tensor *t, int64_t **numbers)
{
    const pf_view *v = leaf->view;
    const pf_st_type *type = pf_st_type_named(v->type->name);
    const uint8_t *data = find_data(f, v->storage);
    if (!data) return PEFT_E_FORMAT;
    t->type = type ? type->type : (peft_dtype)0;
    t->type_name = v->type->name;
    t->dictionary = leaf->dictionary;
    t->ndim = v->ndim;
    t->data = data + (v->elements ? v->offset * v->type->bytes : 0);
    t->bytes = (size_t)(v->elements * v->type->bytes);
    if (!v->contiguous) t->stride = *numbers;
    for (int i = 0; i < v->ndim; i++) {
        t->dim[i] = v->dims->item[i].integer;
        if (t->stride) *(*numbers)++ = v->strides->item[i].integer;
    }
    return PEFT_OK;
}

/* Strides of all tensors that are not contiguous. */
static size_t count_strides(const pf_leaves *leaves)
{
    size_t n = 0;
    for (const pf_leaf *l = leaves->first; l; l = l->next) if (!l->view->contiguous) n += (size_t)l->view->ndim;
    return n;
}

/* Allocates the table; its memory counts as that of the machine. */
static peft_status allocate(pf_arena *arena, const pf_leaves *leaves, pf_st *st)
{
    const size_t strides = count_strides(leaves) * sizeof(int64_t);
    PF_TRY(pf_arena_count(arena, leaves->count * (sizeof *st->tensor + sizeof *st->by_name) + leaves->text + strides));
    st->count = leaves->count;
    PF_TRY(pf_st_allocate(st, leaves->text));
    st->numbers = pf_alloc(st->ctx, strides);
    return st->numbers ? PEFT_OK : pf_nomem("strides of tensors", strides);
}

/* What helps if the weights are objects of this class: most are whole models. */
static const char *cure(const pf_global *g)
{
    if (pf_value_is(&g->name, "_rebuild_qtensor"))
        return "they are quantised: save the weights before quantisation, or dequantise each in Python "
               "(w.dequantize())";
    if (g->module.length >= 5 && !memcmp(g->module.text, "numpy", 5))
        return "they are arrays of NumPy: save tensors in Python, torch.save({k: torch.from_numpy(v) for k, v in "
               "weights.items()}, 'weights.pth')";
    return "save its weights in Python: torch.save(model.state_dict(), 'weights.pth')";
}

/* No tensors: the weights may be inside an object, which is not read. */
static peft_status no_tensors(const pf_leaves *leaves)
{
    const pf_global *g = leaves->object;
    const char *path = leaves->object_path;
    if (!g) return pf_fail(PEFT_E_FORMAT, "holds no tensors; expected a dictionary of them, as model.state_dict() is");
    return pf_fail(PEFT_E_UNSUPPORTED, "holds no tensors but inside of Python objects, which are not read%s%s%s is a "
                   "%.*s.%.*s): %s",
                   *path ? " ('" : " (the whole", path, *path ? "'" : "",
                   (int)(g->module.length < 80 ? g->module.length : 80), g->module.text,
                   (int)(g->name.length < 80 ? g->name.length : 80), g->name.text, cure(g));
}

static peft_status make_table(pf_torch_file *f, pf_st *st)
{
    pf_leaves leaves;
    PF_TRY(pf_torch_walk(&f->machine.arena, &f->value, &leaves));
    if (!leaves.count) return no_tensors(&leaves);
    PF_TRY(allocate(&f->machine.arena, &leaves, st));
    st->copies_left = f->size;
    char *next = st->text;
    int64_t *numbers = st->numbers;
    pf_st_tensor *t = st->tensor;
    for (const pf_leaf *l = leaves.first; l; l = l->next, t++) {
        t->name = pf_st_copy_text(&next, l->name);
        peft_status s = fill_tensor(f, l, t, &numbers);
        if (s) return pf_prefix_error(s, "tensor '%.80s'", t->name);
    }
    pf_st_sort_by_place(st);
    return pf_st_index(st);
}

peft_status pf_torch_open(peft_context *ctx, pf_map *map, const void *data, size_t size, pf_st **out)
{
    pf_torch_file f = { .data = data, .size = size };
    pf_st *st;
    PF_TRY(pf_st_create(ctx, map, &st));
    f.machine.arena.ctx = ctx;                                  /* for pf_machine_free, if it is never set up */
    peft_status s = pf_zip_recognise(data, size) ? pf_torch_read_zip(ctx, &f) : pf_torch_read_legacy(ctx, &f);
    if (!s) s = make_table(&f, st);
    pf_machine_free(&f.machine);
    if (s) pf_st_close(st);
    else *out = st;
    return s;
}
