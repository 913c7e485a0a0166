/* SPDX-License-Identifier: Apache-2.0
 * safetensors_write.c -- writes safetensors files; see safetensors.h. The tensors are sorted, written to a temporary
 * file, read back by the strict reader and compared; only then the file replaces the old one. Data of another type than
 * the file's is converted in small pieces, once to write and once to compare. */
#include "core/base/json_text.h"
#include "core/format/safetensors_header.h"
#include <stdlib.h>
#include <string.h>

enum { PIECE = 16384 };                               /* bytes of a buffer for conversion */

/* A declared tensor. */
typedef struct item {
    char *name;
    const pf_st_type *type;
    int ndim;
    int64_t dim[PEFT_MAX_DIMS];
    const void *data;
    peft_dtype from;                                  /* type of data, if it must be converted; 0: no conversion */
    size_t bytes;                                     /* in the file */
} item;
/* An entry of the metadata. */
typedef struct pair { char *key, *value; } pair;
struct pf_st_out {
    peft_context *ctx;
    item *items; size_t count, capacity;
    pair *meta;  size_t meta_count, meta_capacity, meta_bytes;
    json_t *names, *keys;                             /* JSON objects as hash sets of what was declared */
    bool as_declared;                                 /* tensors stay in the order declared */
};

peft_status pf_st_out_create(peft_context *ctx, pf_st_out **out)
{
    pf_st_out *o = pf_alloc_zero(ctx, sizeof *o);
    if (!o) return pf_nomem("safetensors writer", sizeof *o);
    o->ctx = pf_context_retain(ctx);
    *out = o;
    return PEFT_OK;
}

void pf_st_out_keep_order(pf_st_out *o) { o->as_declared = true; }

void pf_st_out_free(pf_st_out *o)
{
    if (!o) return;
    peft_context *ctx = o->ctx;
    for (size_t i = 0; i < o->count; i++) pf_free(ctx, o->items[i].name);
    for (size_t i = 0; i < o->meta_count; i++) pf_free(ctx, o->meta[i].key), pf_free(ctx, o->meta[i].value);
    pf_free(ctx, o->items);
    pf_free(ctx, o->meta);
    json_decref(o->names);
    json_decref(o->keys);
    pf_free(ctx, o);
    peft_context_free(ctx);
}

/* Returns list, or if it is full a larger copy, so that it has space for one more element. NULL: no memory; the list is
 * unchanged. */
static void *reserve_one(peft_context *ctx, void *list, size_t count, size_t *capacity, size_t element_size)
{
    size_t larger_capacity = *capacity ? 2 * *capacity : 16, bytes;
    if (count < *capacity) return list;
    void *larger = pf_mul_size(larger_capacity, element_size, &bytes) ? pf_realloc(ctx, list, bytes) : NULL;
    if (larger) *capacity = larger_capacity;
    return larger;
}

peft_status pf_st_check_text(const char *what, const char *s)
{
    return pf_is_utf8(s) ? PEFT_OK : pf_fail(PEFT_E_INVALID, "%s '%.80s' is not UTF-8", what, s);
}

/* Adds name to a set, which finds duplicates fast: a file may have 65536 names. false: no memory. */
static bool add_to_set(json_t **set, const char *name)
{
    if (!*set) *set = json_object();
    return *set && !json_object_set_new_nocheck(*set, name, json_true());
}

peft_status pf_st_out_meta(pf_st_out *o, const char *key, const char *value)
{
    size_t bytes = strlen(key) + strlen(value);
    PF_TRY(pf_st_check_text("metadata key", key));
    PF_TRY(pf_st_check_text("metadata value", value));
    if (json_object_get(o->keys, key)) return pf_fail(PEFT_E_INVALID, "metadata '%.80s' is given twice", key);
    if (bytes > PF_ST_META - o->meta_bytes)
        return pf_fail(PEFT_E_INVALID, "metadata '%.80s' makes %zu bytes of metadata; expected at most %d", key,
                       o->meta_bytes + bytes, PF_ST_META);
    pair *meta = reserve_one(o->ctx, o->meta, o->meta_count, &o->meta_capacity, sizeof *meta);
    if (meta) o->meta = meta;
    pair p = { pf_strdup(o->ctx, key), pf_strdup(o->ctx, value) };
    if (!meta || !p.key || !p.value || !add_to_set(&o->keys, key)) {
        pf_free(o->ctx, p.key);
        pf_free(o->ctx, p.value);
        return pf_nomem("metadata", bytes);
    }
    o->meta[o->meta_count++] = p;
    o->meta_bytes += bytes;
    return PEFT_OK;
}

/* Refuses a name that is too long, reserved, declared already or no UTF-8, and a tensor too many. */
static peft_status check_name(const pf_st_out *o, const char *name)
{
    if (strlen(name) > PF_ST_NAME || !strcmp(name, "__metadata__"))
        return pf_fail(PEFT_E_INVALID, "tensor '%.80s': expected a name of at most %d bytes, not __metadata__", name,
                       PF_ST_NAME);
    if (json_object_get(o->names, name)) return pf_fail(PEFT_E_INVALID, "tensor '%.80s' is given twice", name);
    if (o->count >= PF_ST_TENSORS)
        return pf_fail(PEFT_E_INVALID, "tensor '%.80s' is one too many; expected at most %d", name, PF_ST_TENSORS);
    return pf_st_check_text("tensor name", name);
}

/* Whether pf_from_real can convert to t. */
static bool is_float(peft_dtype t) { return t == PEFT_F32 || t == PEFT_F64 || t == PEFT_F16 || t == PEFT_BF16; }

/* Declares a tensor. `tensor` has ndim, data and from; the rest is set here. */
static peft_status declare(pf_st_out *o, const char *name, peft_dtype type, const int64_t *dims, item tensor)
{
    tensor.type = pf_st_type_of(type);
    PF_TRY(check_name(o, name));
    if (!tensor.type)
        return pf_fail(PEFT_E_DTYPE, "tensor '%.80s': type is %d; expected 1 to %d", name, (int)type, (int)PEFT_I8);
    if (tensor.from && !is_float(type))
        return pf_fail(PEFT_E_DTYPE, "tensor '%.80s': type is %s; expected F32, F64, F16 or BF16", name,
                       tensor.type->name);
    int64_t count = tensor.ndim < 0 || tensor.ndim > PEFT_MAX_DIMS ? -1 : pf_dims_count(tensor.ndim, dims);
    if (count < 0 || !pf_mul_size((size_t)count, (size_t)tensor.type->bits / 8, &tensor.bytes))
        return pf_fail(PEFT_E_SHAPE, "tensor '%.80s': expected 0 to %d extents >= 0 whose product does not overflow",
                       name, PEFT_MAX_DIMS);
    if (!tensor.data && tensor.bytes)
        return pf_fail(PEFT_E_INVALID, "tensor '%.80s': data is NULL; expected %zu bytes", name, tensor.bytes);
    if (tensor.ndim) memcpy(tensor.dim, dims, (size_t)tensor.ndim * sizeof *dims);
    item *items = reserve_one(o->ctx, o->items, o->count, &o->capacity, sizeof *items);
    if (items) o->items = items;
    tensor.name = items ? pf_strdup(o->ctx, name) : NULL;
    if (tensor.name && !add_to_set(&o->names, name)) {
        pf_free(o->ctx, tensor.name);
        tensor.name = NULL;
    }
    if (!tensor.name) return pf_nomem("tensor to write", sizeof tensor);
    o->items[o->count++] = tensor;
    return PEFT_OK;
}

peft_status pf_st_out_tensor(pf_st_out *o, const char *name, peft_dtype type, int ndim, const int64_t *dims,
                             const void *data)
{
    return declare(o, name, type, dims, (item){ .ndim = ndim, .data = data });
}

peft_status pf_st_out_floats(pf_st_out *o, const char *name, peft_dtype type, int ndim, const int64_t *dims,
                             peft_dtype from, const void *data)
{
    return declare(o, name, type, dims, (item){ .ndim = ndim, .data = data, .from = type == from ? 0 : from });
}

/* Returns *bytes bytes of the tensor as they are in the file, from offset on: a pointer into its data, or, if the data
 * must be converted, a piece of it in buffer. */
static const void *piece_of(const item *tensor, size_t offset, char buffer[PIECE], size_t *bytes)
{
    *bytes = tensor->bytes - offset;
    if (!tensor->from) return (const char *)tensor->data + offset;
    enum { MOST = PIECE / 8 };                        /* elements of at most eight bytes */
    const size_t size = (size_t)tensor->type->bits / 8;
    pk_real x[MOST];
    if (*bytes > MOST * size) *bytes = MOST * size;
    const int64_t n = (int64_t)(*bytes / size);
    pf_to_real(x, (const char *)tensor->data + offset / size * pf_dtype_size(tensor->from), tensor->from, n);
    pf_from_real(buffer, tensor->type->type, x, n);
    return buffer;
}

/* Order by element size, largest first, so that all elements are aligned; then by name. */
static int larger_first(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return x->type->bits != y->type->bits ? y->type->bits - x->type->bits : strcmp(x->name, y->name);
}

/* The entry of a tensor in the header, whose data begins at `begin`; NULL: no memory. */
static json_t *entry_of(const item *tensor, size_t begin)
{
    json_t *entry = json_object(), *shape = json_array(), *offsets = json_array();
    int failed = 0;
    for (int i = 0; i < tensor->ndim; i++) failed |= json_array_append_new(shape, json_integer(tensor->dim[i]));
    failed |= json_array_append_new(offsets, json_integer((json_int_t)begin));
    failed |= json_array_append_new(offsets, json_integer((json_int_t)(begin + tensor->bytes)));
    failed |= json_object_set_new(entry, "dtype", json_string(tensor->type->name));
    failed |= json_object_set_new(entry, "shape", shape);
    failed |= json_object_set_new(entry, "data_offsets", offsets);
    if (!failed) return entry;
    json_decref(entry);
    return NULL;
}

/* The header as JSON; NULL: no memory. */
static json_t *header_of(const pf_st_out *o)
{
    json_t *root = json_object();
    size_t begin = 0;
    int failed = !root;
    if (o->meta_count) {
        json_t *meta = json_object();
        for (size_t i = 0; i < o->meta_count; i++)
            failed |= json_object_set_new(meta, o->meta[i].key, json_string(o->meta[i].value));
        failed |= json_object_set_new(root, "__metadata__", meta);
    }
    for (size_t i = 0; i < o->count && !failed; begin += o->items[i++].bytes)
        failed |= json_object_set_new(root, o->items[i].name, entry_of(o->items + i, begin));
    if (!failed) return root;
    json_decref(root);
    return NULL;
}

/* Writes the header's length and the header, padded with blanks to a multiple of 8 bytes, to t, whose text the caller
 * frees. The length is written as 0 first, and set when it is known. */
static peft_status write_header(const pf_st_out *o, pf_text *t)
{
    uint64_t n = 0;
    json_t *root = header_of(o);
    int failed = !root || pf_text_add((const char *)&n, sizeof n, t)
              || json_dump_callback(root, pf_text_add, t, JSON_COMPACT)
              || pf_text_add("        ", (8 - t->length % 8) % 8, t);
    json_decref(root);
    if (failed) return pf_nomem("safetensors header", t->length);
    n = t->length - sizeof n;
    if (n > PF_ST_HEADER)
        return pf_fail(PEFT_E_INVALID, "header has %llu bytes; expected at most %d", (unsigned long long)n,
                       PF_ST_HEADER);
    memcpy(t->text, &n, sizeof n);
    return PEFT_OK;
}

/* Whether a tensor read from the file (NULL: not found) equals the declared one. */
static bool same(const pf_st_tensor *read, const item *tensor)
{
    char buffer[PIECE];
    bool equal = read && read->type == tensor->type->type && read->ndim == tensor->ndim && read->bytes == tensor->bytes
              && !memcmp(read->dim, tensor->dim, sizeof *read->dim * (size_t)read->ndim);
    for (size_t offset = 0, n; equal && offset < tensor->bytes; offset += n) {
        const void *piece = piece_of(tensor, offset, buffer, &n);
        equal = !memcmp((const char *)read->data + offset, piece, n);
    }
    return equal;
}

/* Opens the file that was written and compares it with what was declared. */
static peft_status read_back(const pf_st_out *o, const char *path)
{
    pf_st *st;
    peft_status s = pf_st_open(o->ctx, path, &st);
    if (s) return pf_prefix_error(s, "the file that was written cannot be read back");
    for (size_t i = 0; i < o->count && !s; i++)
        if (!same(pf_st_find(st, o->items[i].name), o->items + i))
            s = pf_fail(PEFT_E_IO, "%s: tensor '%.80s' reads back changed", path, o->items[i].name);
    for (size_t i = 0; i < o->meta_count && !s; i++) {
        const char *value = pf_st_meta(st, o->meta[i].key);
        if (!value || strcmp(value, o->meta[i].value))
            s = pf_fail(PEFT_E_IO, "%s: metadata '%.80s' reads back changed", path, o->meta[i].key);
    }
    pf_st_close(st);
    return s;
}

/* Writes header and data to w, and checks what was written. */
static peft_status write_all(const pf_st_out *o, pf_writer *w, const pf_text *header)
{
    char buffer[PIECE];
    PF_TRY(pf_writer_write(w, header->text, header->length));
    for (size_t i = 0; i < o->count; i++)
        for (size_t offset = 0, n; offset < o->items[i].bytes; offset += n) {
            const void *piece = piece_of(&o->items[i], offset, buffer, &n);
            PF_TRY(pf_writer_write(w, piece, n));
        }
    return read_back(o, pf_writer_temporary(w));
}

/* Sorts the tensors and makes the header, whose text the caller frees. *total: the bytes of the tensors' data. */
static peft_status prepare(pf_st_out *o, pf_text *header, size_t *total)
{
    *header = (pf_text){ .ctx = o->ctx };
    *total = 0;
    for (size_t i = 0; i < o->count; i++)
        if (!pf_add_size(*total, o->items[i].bytes, total) || *total > INT64_MAX)
            return pf_fail(PEFT_E_SHAPE, "the tensors together are larger than a file can be");
    if (o->count && !o->as_declared) qsort(o->items, o->count, sizeof *o->items, larger_first);
    return write_header(o, header);
}

peft_status pf_st_out_write(pf_st_out *o, const char *path)
{
    pf_text header;
    pf_writer *w = NULL;
    size_t total;
    peft_status s = prepare(o, &header, &total);
    if (s == PEFT_E_SHAPE) pf_prefix_error(s, "%s", path);
    if (!s) s = pf_writer_open(o->ctx, path, &w);
    if (!s) s = write_all(o, w, &header);
    if (s) pf_writer_abandon(w);
    else s = pf_writer_commit(w);
    pf_free(o->ctx, header.text);
    return s;
}

peft_status pf_st_out_bytes(pf_st_out *o, char **bytes, size_t *size)
{
    pf_text header;
    char buffer[PIECE];
    peft_status s = prepare(o, &header, size);
    if (!s && !pf_add_size(header.length, *size, size)) s = pf_fail(PEFT_E_SHAPE, "the file is larger than memory");
    char *to = *bytes = s ? NULL : pf_alloc(o->ctx, *size);
    if (!s && !to) s = pf_nomem("file in memory", *size);
    if (!s) {
        memcpy(to, header.text, header.length);
        to += header.length;
    }
    for (size_t i = 0; !s && i < o->count; i++)
        for (size_t offset = 0, n; offset < o->items[i].bytes; offset += n, to += n) {
            const void *piece = piece_of(&o->items[i], offset, buffer, &n);
            memcpy(to, piece, n);
        }
    pf_free(o->ctx, header.text);
    return s;
}
