/* SPDX-License-Identifier: Apache-2.0
 * safetensors_read.c -- opens safetensors files; see safetensors.h. Every byte of the data must belong to exactly one
 * tensor, and sizes must agree with shapes. An error names the tensor, what was found and what was expected. */
#include <peft/sys/content.h>
#include "core/format/st_table.h"
#include <string.h>

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

/* Fills the tables from the parsed header; data[size]: the bytes behind it. */
static peft_status fill(pf_st *st, json_t *root, const uint8_t *data, size_t size)
{
    size_t text = 0, i = 0;
    const char *name;
    json_t *value;
    PF_TRY(measure(st, root, &text));
    PF_TRY(pf_st_allocate(st, text));
    char *next = st->text;
    json_object_foreach(root, name, value) {
        if (!strcmp(name, META)) continue;
        st->tensor[i].name = pf_st_copy_text(&next, name);
        PF_TRY(take_tensor(st->tensor + i, value, data, size));
        i++;
    }
    pf_st_sort_by_place(st);
    PF_TRY(check_cover(st, data, size));
    i = 0;
    json_object_foreach(json_object_get(root, META), name, value) {
        st->meta[i].key = pf_st_copy_text(&next, name);
        st->meta[i++].value = pf_st_copy_text(&next, json_string_value(value));
    }
    return pf_st_index(st);
}

bool pf_st_recognise(const void *data, size_t size)
{
    const uint8_t *file = data;
    uint64_t n = 0;
    if (size > sizeof n) memcpy(&n, file, sizeof n);
    return n && n <= PF_ST_HEADER && file[sizeof n] == '{';
}

/* Improves the message for a file that is no safetensors file: if the kind of the file can be recognised, it is
 * named. */
static peft_status name_kind(peft_status s, const uint8_t *file, size_t size)
{
    const char *kind = s == PEFT_E_FORMAT && !pf_st_recognise(file, size) ? peft_sys_content_kind(file, size) : NULL;
    return kind ? pf_fail(s, "is %s; expected a safetensors file", kind) : s;
}

/* Opens a file of `size` bytes, of which the first `loaded` bytes can be read at `file`. The result owns map (NULL:
 * none); on an error map is closed. */
static peft_status open_bytes(peft_context *ctx, pf_map *map, const uint8_t *file, size_t loaded, size_t size,
                              pf_st **out)
{
    json_t *root = NULL;
    size_t header = 0;                                          /* its bytes, without those of its length */
    pf_st *st;
    PF_TRY(pf_st_create(ctx, map, &st));
    peft_status s = name_kind(pf_st_header(file, size, &root, &header), file, loaded);
    const size_t data = sizeof(uint64_t) + header;              /* where the data begins, behind the header */
    if (!s) s = fill(st, root, file + data, size - data);
    json_decref(root);
    if (s) pf_st_close(st);
    else *out = st;
    return s;
}

peft_status pf_st_open_map(peft_context *ctx, pf_map *map, pf_st **out)
{
    return open_bytes(ctx, map, pf_map_data(map), pf_map_size(map), pf_map_file_size(map), out);
}

/* The same for a call that made map, or failed with status s; errors begin with the path. */
static peft_status open_map(peft_context *ctx, peft_status s, pf_map *map, const char *path, pf_st **out)
{
    if (s) return s;
    s = pf_st_open_map(ctx, map, out);
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
