/* SPDX-License-Identifier: Apache-2.0
 * safetensors_read.c -- opens safetensors files; see safetensors.h. Every byte of the data must belong to exactly one
 * tensor, and sizes must agree with shapes. An error names the tensor, what was found and what was expected. */
#include <peft/sys/content.h>
#include "core/format/safetensors_header.h"
#include <stdlib.h>
#include <string.h>

/* An entry of the metadata. */
typedef struct pair { const char *key, *value; } pair;
struct pf_st {
    peft_context *ctx;
    pf_map *map;                               /* NULL: data in the caller's memory */
    pf_st_tensor *tensor;                      /* [count], in the order of their data */
    const pf_st_tensor **by_name;              /* [count], sorted by name */
    pair *meta;                                /* [meta_count], in the order of the header */
    const pair **by_key;                       /* [meta_count], sorted by key */
    size_t count, meta_count;
    char *text;                                /* the bytes of all names, keys and values */
};

#define REFUSE(...) pf_fail(PEFT_E_FORMAT, __VA_ARGS__)
#define META "__metadata__"

/* Counts tensors and metadata entries, and in *text the bytes of all their strings. */
static peft_status measure(pf_st *st, json_t *root, size_t *text)
{
    const char *name;
    json_t *value, *meta = json_object_get(root, META);
    st->count = json_object_size(root) - (meta ? 1 : 0);
    if (json_is_null(meta)) meta = NULL;                      /* null: no metadata */
    if (st->count > PF_ST_TENSORS) return REFUSE("has %zu tensors; expected at most %d", st->count, PF_ST_TENSORS);
    json_object_foreach(root, name, value) {
        size_t n = strlen(name);
        if (n > PF_ST_NAME)
            return REFUSE("tensor '%.60s...': name has %zu bytes; expected at most %d", name, n, PF_ST_NAME);
        *text += n + 1;
    }
    if (!meta) return PEFT_OK;
    if (!json_is_object(meta)) return REFUSE(META " is not an object; expected names with text values");
    size_t bytes = 0;
    json_object_foreach(meta, name, value) {
        if (!json_is_string(value)) return REFUSE(META " '%.80s' is not text; expected text values only", name);
        bytes += strlen(name) + json_string_length(value);
    }
    if (bytes > PF_ST_META) return REFUSE(META " has %zu bytes; expected at most %d", bytes, PF_ST_META);
    st->meta_count = json_object_size(meta);
    *text += bytes + 2 * st->meta_count;
    return PEFT_OK;
}

/* Copies s to *next, in st->text, and moves *next behind the copy. */
static const char *copy_text(char **next, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = memcpy(*next, s, n);
    *next += n;
    return copy;
}

/* Checks that the entry of a tensor in the header has the three keys of the format and no other. */
static peft_status check_keys(const char *name, json_t *entry)
{
    static const char *const keys[] = { "dtype", "shape", "data_offsets" };
    const char *key;
    json_t *value;
    if (!json_is_object(entry))
        return REFUSE("tensor '%.80s': is not an object; expected dtype, shape, data_offsets", name);
    for (size_t i = 0; i < 3; i++)
        if (!json_object_get(entry, keys[i])) return REFUSE("tensor '%.80s': %s is missing", name, keys[i]);
    json_object_foreach(entry, key, value)
        if (strcmp(key, keys[0]) && strcmp(key, keys[1]) && strcmp(key, keys[2]))
            return REFUSE("tensor '%.80s': unknown key '%.80s'; expected dtype, shape, data_offsets", name, key);
    return PEFT_OK;
}

/* Sets extents and bytes of t from the entry's shape; bits: of an element. */
static peft_status take_shape(pf_st_tensor *t, json_t *shape, int bits)
{
    size_t n = json_array_size(shape), all_bits;
    char text[256];
    if (!json_is_array(shape)) return REFUSE("tensor '%.80s': shape is not an array", t->name);
    if (n > PEFT_MAX_DIMS)
        return REFUSE("tensor '%.80s': shape has %zu extents; expected at most %d", t->name, n, PEFT_MAX_DIMS);
    for (size_t i = 0; i < n; i++) {
        const json_t *extent = json_array_get(shape, i);
        t->dim[i] = json_integer_value(extent);
        if (!json_is_integer(extent) || t->dim[i] < 0)
            return REFUSE("tensor '%.80s': extent %zu of its shape is not an integer >= 0", t->name, i);
    }
    t->ndim = (int)n;
    int64_t count = pf_dims_count(t->ndim, t->dim);
    if (count < 0 || !pf_mul_size((size_t)count, (size_t)bits, &all_bits))
        return REFUSE("tensor '%.80s': shape %s of %s overflows", t->name,
                      pf_dims_text(text, sizeof text, t->ndim, t->dim), t->type_name);
    if (all_bits % 8)
        return REFUSE("tensor '%.80s': shape %s of %s does not fill whole bytes", t->name,
                      pf_dims_text(text, sizeof text, t->ndim, t->dim), t->type_name);
    t->bytes = all_bits / 8;
    return PEFT_OK;
}

/* Sets the data of t from the entry's offsets into data[size], and checks that they span t->bytes. */
static peft_status take_offsets(pf_st_tensor *t, json_t *offsets, const uint8_t *data, size_t size)
{
    const json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    int64_t begin = json_integer_value(first), end = json_integer_value(second);
    char text[256];
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second))
        return REFUSE("tensor '%.80s': data_offsets are not two integers", t->name);
    if (begin < 0 || begin > end || (uint64_t)end > size)
        return REFUSE("tensor '%.80s': data_offsets are [%lld, %lld]; expected 0 <= begin <= end <= %zu%s", t->name,
                      (long long)begin, (long long)end, size,
                      begin >= 0 && begin <= end ? ": the file is cut short; fetch it again" : "");
    if ((uint64_t)(end - begin) != t->bytes)
        return REFUSE("tensor '%.80s': data_offsets span %lld bytes; expected %zu for %s %s", t->name,
                      (long long)(end - begin), t->bytes, t->type_name,
                      pf_dims_text(text, sizeof text, t->ndim, t->dim));
    t->data = data + begin;
    return PEFT_OK;
}

/* Fills t, which has its name, from its entry in the header. data[size]: of all tensors. */
static peft_status take_tensor(pf_st_tensor *t, json_t *entry, const uint8_t *data, size_t size)
{
    PF_TRY(check_keys(t->name, entry));
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype) return REFUSE("tensor '%.80s': dtype is not text", t->name);
    const pf_st_type *type = pf_st_type_named(dtype);
    if (!type) return REFUSE("tensor '%.80s': dtype is '%.40s', which the format does not have", t->name, dtype);
    t->type = type->type;
    t->type_name = type->name;
    PF_TRY(take_shape(t, json_object_get(entry, "shape"), type->bits));
    return take_offsets(t, json_object_get(entry, "data_offsets"), data, size);
}

/* Order by the place of the data; an empty tensor comes before another one at the same place. */
static int by_place(const void *a, const void *b)
{
    const pf_st_tensor *x = a, *y = b;
    if (x->data != y->data) return (const uint8_t *)x->data < (const uint8_t *)y->data ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Checks that the tensors, in order, cover the data without holes and overlaps. */
static peft_status check_cover(pf_st *st, const uint8_t *data, size_t size)
{
    const uint8_t *end = data;                 /* of the tensors so far */
    for (size_t i = 0; i < st->count; i++) {
        const pf_st_tensor *t = st->tensor + i;
        const uint8_t *start = t->data;
        if (start != end)
            return REFUSE("tensor '%.80s': starts at byte %zu, which %s; expected %zu", t->name, (size_t)(start - data),
                          start > end ? "leaves a hole" : "overlaps another", (size_t)(end - data));
        end += t->bytes;
    }
    if ((size_t)(end - data) != size)
        return REFUSE("data has %zu bytes; expected %zu: some belong to no tensor", size, (size_t)(end - data));
    return PEFT_OK;
}

/* For qsort: order of by_name, and of by_key below. */
static int by_name(const void *a, const void *b)
{
    return strcmp((*(const pf_st_tensor *const *)a)->name, (*(const pf_st_tensor *const *)b)->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(const pair *const *)a)->key, (*(const pair *const *)b)->key);
}

/* For bsearch: compare a key or name with an element of by_key or by_name. */
static int compare_key(const void *key, const void *p) { return strcmp(key, (*(const pair *const *)p)->key); }
static int compare_name(const void *name, const void *t)
{
    return strcmp(name, (*(const pf_st_tensor *const *)t)->name);
}

/* text: bytes of st->text. false: no memory. No product overflows, as measure has bounded the counts. */
static bool allocate_tables(pf_st *st, size_t text)
{
    st->tensor = pf_alloc_zero(st->ctx, st->count * sizeof *st->tensor);
    st->by_name = pf_alloc(st->ctx, st->count * sizeof *st->by_name);
    st->meta = pf_alloc(st->ctx, st->meta_count * sizeof *st->meta);
    st->by_key = pf_alloc(st->ctx, st->meta_count * sizeof *st->by_key);
    st->text = pf_alloc(st->ctx, text);
    return st->tensor && st->by_name && st->meta && st->by_key && st->text;
}

/* Fills the tables from the parsed header; data[size]: the bytes behind it. */
static peft_status fill(pf_st *st, json_t *root, const uint8_t *data, size_t size)
{
    size_t text = 0, i = 0;
    const char *name;
    json_t *value;
    PF_TRY(measure(st, root, &text));
    if (!allocate_tables(st, text)) return pf_nomem("safetensors tables", text + st->count * sizeof *st->tensor);
    char *next = st->text;
    json_object_foreach(root, name, value) {
        if (!strcmp(name, META)) continue;
        st->tensor[i].name = copy_text(&next, name);
        PF_TRY(take_tensor(st->tensor + i, value, data, size));
        i++;
    }
    if (st->count) qsort(st->tensor, st->count, sizeof *st->tensor, by_place);
    PF_TRY(check_cover(st, data, size));
    for (i = 0; i < st->count; i++) st->by_name[i] = st->tensor + i;
    if (st->count) qsort(st->by_name, st->count, sizeof *st->by_name, by_name);
    i = 0;
    json_object_foreach(json_object_get(root, META), name, value) {
        st->meta[i].key = copy_text(&next, name);
        st->by_key[i] = st->meta + i;
        st->meta[i++].value = copy_text(&next, json_string_value(value));
    }
    if (i) qsort(st->by_key, i, sizeof *st->by_key, by_key);
    return PEFT_OK;
}

/* Improves the message for a file that is no safetensors file: if the kind of the file can be recognised, it is
 * named. */
static peft_status name_kind(peft_status s, const uint8_t *file, size_t size)
{
    uint64_t n = 0;
    if (size > sizeof n) memcpy(&n, file, sizeof n);
    const bool like_safetensors = n && n <= PF_ST_HEADER && file[sizeof n] == '{';
    const char *kind = s == PEFT_E_FORMAT && !like_safetensors ? peft_sys_content_kind(file, size) : NULL;
    return kind ? pf_fail(s, "is %s; expected a safetensors file", kind) : s;
}

/* Opens a file of `size` bytes, of which the first `loaded` bytes can be read at `file`. The result owns map (NULL:
 * none); on an error map is closed. */
static peft_status open_bytes(peft_context *ctx, pf_map *map, const uint8_t *file, size_t loaded, size_t size,
                              pf_st **out)
{
    json_t *root = NULL;
    size_t header = 0;                                          /* its bytes, without those of its length */
    pf_st *st = pf_alloc_zero(ctx, sizeof *st);
    if (!st) {
        pf_map_close(map);
        return pf_nomem("safetensors", sizeof *st);
    }
    st->ctx = pf_context_retain(ctx);
    st->map = map;
    peft_status s = name_kind(pf_st_header(file, size, &root, &header), file, loaded);
    const size_t data = sizeof(uint64_t) + header;              /* where the data begins, behind the header */
    if (!s) s = fill(st, root, file + data, size - data);
    json_decref(root);
    if (s) pf_st_close(st);
    else *out = st;
    return s;
}

/* Opens the file whose bytes are in map, unless the call that made map failed with status s. */
static peft_status open_map(peft_context *ctx, peft_status s, pf_map *map, const char *path, pf_st **out)
{
    if (s) return s;
    s = open_bytes(ctx, map, pf_map_data(map), pf_map_size(map), pf_map_file_size(map), out);
    return s ? pf_prefix_error(s, "%s", path) : s;
}

peft_status pf_st_open(peft_context *ctx, const char *path, pf_st **out)
{
    pf_map *map;
    peft_status s = pf_map_open(ctx, path, &map);
    return open_map(ctx, s, map, path, out);
}

peft_status pf_st_read(peft_context *ctx, const char *path, pf_st **out)
{
    pf_map *map;
    peft_status s = pf_map_read(ctx, path, PF_WHOLE_FILE, &map);
    return open_map(ctx, s, map, path, out);
}

/* The bytes of the header; 0 for a file without a length. */
static uint64_t header_length(const pf_map *map)
{
    uint64_t n = 0;
    if (pf_map_size(map) >= sizeof n) memcpy(&n, pf_map_data(map), sizeof n);
    return n;
}

/* Reads the first part of the file, which begins with the length of the header; reads a longer part if the header needs
 * one. */
peft_status pf_st_open_header(peft_context *ctx, const char *path, pf_st **out)
{
    enum { FIRST_PART = 65536 };
    pf_map *map;
    PF_TRY(pf_map_read(ctx, path, FIRST_PART, &map));
    uint64_t n = header_length(map);
    if (n > FIRST_PART - sizeof n && n <= PF_ST_HEADER) {
        pf_map_close(map);
        PF_TRY(pf_map_read(ctx, path, (size_t)n + sizeof n, &map));
        if (header_length(map) != n) {
            pf_map_close(map);
            return pf_fail(PEFT_E_IO, "%s: was changed while it was read", path);
        }
    }
    return open_map(ctx, PEFT_OK, map, path, out);
}

peft_status pf_st_open_memory(peft_context *ctx, const void *data, size_t size, pf_st **out)
{
    pf_map *const no_map = NULL;
    peft_status s = open_bytes(ctx, no_map, data, size, size, out);
    return s ? pf_prefix_error(s, "safetensors in memory") : s;
}

void pf_st_close(pf_st *st)
{
    if (!st) return;
    peft_context *ctx = st->ctx;
    pf_map_close(st->map);
    pf_free(ctx, st->tensor);
    pf_free(ctx, st->by_name);
    pf_free(ctx, st->meta);
    pf_free(ctx, st->by_key);
    pf_free(ctx, st->text);
    pf_free(ctx, st);
    peft_context_free(ctx);
}

void pf_st_evict(const pf_st *st, const pf_st_tensor *t)
{
    if (st->map) pf_map_evict(st->map, t->data, t->bytes);
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
    const pair *const *p = bsearch(key, st->by_key, st->meta_count, sizeof *st->by_key, compare_key);
    return p ? (*p)->value : NULL;
}

void pf_st_meta_at(const pf_st *st, size_t i, const char **key, const char **value)
{
    *key = st->meta[i].key;
    *value = st->meta[i].value;
}
