/* SPDX-License-Identifier: Apache-2.0
 * npz_backbone.c -- peft_npz_to_safetensors: converts a ViT in Google's .npz to a safetensors file with timm's names.
 * In the .npz a dense kernel is [in, out], where attention has heads and their width as two extents ([in, heads, width]
 * or [heads, width, out]), and the patch kernel is [p, p, colours, out]; timm has [out, in] and [out, colours, p, p].
 * Files of big_vision (Google's later code base) have other module names than the older augreg and in21k checkpoints,
 * and may stack the arrays of all blocks: "MlpBlock_0/Dense_0/kernel" is then [blocks, in, out]. */
#include <peft/sys/tensors.h>
#include "io/archive/npy.h"
#include "io/archive/zip.h"
#include <stdio.h>

/* F32_BYTES: of an element; all arrays are f32. MAX_BLOCKS: PEFT_DEPTH_MAX, the most blocks that a backbone may
 * have. */
enum { FIRST_BLOCK = 0, F32_BYTES = 4, MAX_ENTRIES = 4096, MAX_BLOCKS = 64, NAME_SIZE = 64, PATH_SIZE = 200 };

/* How an array becomes a tensor. VECTOR: flattened to [n]. TOKENS: to [1, n, d]. DENSE_IN and DENSE_OUT: a dense
 * kernel, transposed to [out, in]; its first extent is the input (DENSE_IN), or its last one the output (DENSE_OUT),
 * and all others together are the other side. PATCH: [p, p, c, d] to [d, c, p, p]. */
typedef enum { VECTOR, TOKENS, DENSE_IN, DENSE_OUT, PATCH } form;
/* The modules of a block, and their names: first in augreg and in21k checkpoints, then in those of big_vision. */
typedef enum { NORM1, ATTENTION, NORM2, MLP } module;
static const char *const modules[2][4] = {
    { "LayerNorm_0", "MultiHeadDotProductAttention_1", "LayerNorm_2", "MlpBlock_3" },
    { "LayerNorm_0", "MultiHeadDotProductAttention_0", "LayerNorm_1", "MlpBlock_0" } };

/* Tensors outside of the blocks: timm's name, path in the .npz. */
static const struct { const char *timm, *path; form form; bool optional; } outer_rows[] = {
    { "cls_token", "cls", TOKENS, false }, { "pos_embed", "Transformer/posembed_input/pos_embedding", TOKENS, true },
    { "pos_embed", "pos_embedding", TOKENS, true },
    { "patch_embed.proj.weight", "embedding/kernel", PATCH, false },
    { "patch_embed.proj.bias", "embedding/bias", VECTOR, false },
    { "norm.weight", "Transformer/encoder_norm/scale", VECTOR, false },
    { "norm.bias", "Transformer/encoder_norm/bias", VECTOR, false },
    { "head.weight", "head/kernel", DENSE_IN, true }, { "head.bias", "head/bias", VECTOR, true } };
/* Tensors of each block: timm's name after "blocks.N.", and the array, or the three that are concatenated, in the
 * module of the .npz. */
static const struct { const char *timm; module module; form form; const char *path[3]; } block_rows[] = {
    { "norm1.weight", NORM1, VECTOR, { "scale" } }, { "norm1.bias", NORM1, VECTOR, { "bias" } },
    { "attn.qkv.weight", ATTENTION, DENSE_IN, { "query/kernel", "key/kernel", "value/kernel" } },
    { "attn.qkv.bias", ATTENTION, VECTOR, { "query/bias", "key/bias", "value/bias" } },
    { "attn.proj.weight", ATTENTION, DENSE_OUT, { "out/kernel" } },
    { "attn.proj.bias", ATTENTION, VECTOR, { "out/bias" } },
    { "norm2.weight", NORM2, VECTOR, { "scale" } }, { "norm2.bias", NORM2, VECTOR, { "bias" } },
    { "mlp.fc1.weight", MLP, DENSE_IN, { "Dense_0/kernel" } }, { "mlp.fc1.bias", MLP, VECTOR, { "Dense_0/bias" } },
    { "mlp.fc2.weight", MLP, DENSE_IN, { "Dense_1/kernel" } }, { "mlp.fc2.bias", MLP, VECTOR, { "Dense_1/bias" } } };
#define ELEMENTS_OF(a) ((int)(sizeof(a) / sizeof *(a)))

/* An array of the .npz; file: the memory that npy.data points into. */
typedef struct { uint8_t *file; io_npy npy; } array;
/* A converted tensor, whose data begin at byte `begin` of conversion.data. */
typedef struct { char name[NAME_SIZE]; int ndim; int64_t dim[4]; size_t begin; } tensor;
typedef struct {
    peft_context *ctx;
    zip_t *z;
    const char *prefix;                                       /* of all paths in the .npz */
    int naming;                                               /* 0: augreg and in21k, 1: big_vision (row of modules) */
    bool stacked;                                             /* one array holds all blocks */
    int64_t blocks;
    tensor *tensor; int count;                                /* the tensors so far */
    uint8_t *data; size_t size, capacity;                     /* their data */
} conversion;

/* The index of the zip entry that holds the array at this path; below 0: there is none. */
static zip_int64_t locate(const conversion *c, const char *path)
{
    char name[PATH_SIZE + 32];
    snprintf(name, sizeof name, "%s%s.npy", c->prefix, path);
    return zip_name_locate(c->z, name, 0);
}

/* Reads the array at this path; the caller frees out->file. */
static peft_status read_array(const conversion *c, const char *path, array *out)
{
    zip_int64_t index = locate(c, path);
    size_t size;
    if (index < 0)
        return io_fail(PEFT_E_FORMAT, "no array '%s%s'; expected a ViT of augreg, in21k or big_vision", c->prefix,
                       path);
    peft_status s = io_zip_read(c->ctx, c->z, index, &out->file, &size);
    if (!s && (s = io_npy_parse(out->file, size, IO_NPY_F32, &out->npy))) {
        peft_sys_free(c->ctx, out->file);
        out->file = NULL;
    }
    return s ? io_fail_in(s, path) : PEFT_OK;
}

/* The path of an array of a block, as "Transformer/encoderblock_3/MlpBlock_3/Dense_0/kernel". */
static void block_path(const conversion *c, int64_t layer, module m, const char *path, char out[PATH_SIZE])
{
    char number[24] = "";
    if (!c->stacked) snprintf(number, sizeof number, "_%lld", (long long)layer);
    snprintf(out, PATH_SIZE, "Transformer/encoderblock%s/%s/%s", number, modules[c->naming][m], path);
}

/* Where one array holds all blocks: makes *a the array of this block, without the first extent. */
static peft_status select_block(const conversion *c, int64_t layer, io_npy *a)
{
    if (!c->stacked) return PEFT_OK;
    if (a->ndim < 2 || a->dim[0] != c->blocks)
        return io_fail(PEFT_E_FORMAT, "an array of %lld blocks, expected %lld as in the others", (long long)a->dim[0],
                       (long long)c->blocks);
    a->count /= c->blocks;
    a->data += layer * a->count * a->bytes;
    memmove(a->dim, a->dim + 1, sizeof *a->dim * (size_t)--a->ndim);
    return PEFT_OK;
}

/* Makes room for `bytes` more bytes after the data. */
static peft_status reserve(conversion *c, size_t bytes)
{
    if (bytes <= c->capacity - c->size) return PEFT_OK;
    size_t capacity = c->size + c->size / 2 + bytes;
    uint8_t *data = peft_sys_realloc(c->ctx, c->data, capacity);
    if (!data) return io_nomem("tensors");
    c->data = data;
    c->capacity = capacity;
    return PEFT_OK;
}

/* Writes the elements of a to `to`: unchanged for VECTOR and TOKENS, else transposed from [in, out] to [out, in]. */
static void write_array(const io_npy *a, form f, int64_t in, uint8_t *to)
{
    const int64_t out = in ? a->count / in : 0;
    if (f == VECTOR || f == TOKENS) memcpy(to, a->data, (size_t)a->count * F32_BYTES);
    else
        for (int64_t i = 0; i < in; i++)
            for (int64_t o = 0; o < out; o++)
                memcpy(to + F32_BYTES * (o * in + i), a->data + F32_BYTES * (i * out + o), F32_BYTES);
}

/* Writes a [p, p, c, d] as [d, c, p, p]. */
static void write_patch(const io_npy *a, uint8_t *to)
{
    const int64_t pixels = a->dim[0] * a->dim[1], colours = a->dim[2], d = a->dim[3];
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t k = 0; k < colours; k++)
            for (int64_t o = 0; o < d; o++)
                memcpy(to + F32_BYTES * ((o * colours + k) * pixels + i),
                       a->data + F32_BYTES * ((i * colours + k) * d + o), F32_BYTES);
}

/* Sets the shape of the tensor that `parts` arrays like a become, one after the other; false: a has not the extents
 * that its form needs. */
static bool tensor_shape(const io_npy *a, int parts, form f, tensor *t)
{
    const int64_t last = a->dim[a->ndim - 1];
    const int64_t in = f == DENSE_IN ? a->dim[0] : last ? a->count / last : 0;
    if (!a->count) return false;
    switch (f) {
    case VECTOR:
        t->ndim = 1;
        t->dim[0] = a->count * parts;
        return true;
    case TOKENS:
        t->ndim = 3;
        t->dim[0] = 1;
        t->dim[1] = a->count / last;
        t->dim[2] = last;
        return true;
    case PATCH:
        t->ndim = 4;
        for (int i = 0; i < 4 && a->ndim == 4; i++) t->dim[i] = a->dim[3 - i];
        return a->ndim == 4 && a->dim[0] == a->dim[1];
    default:
        t->ndim = 2;
        t->dim[0] = a->count / in * parts;
        t->dim[1] = in;
        return a->ndim >= 2;
    }
}

/* Adds a tensor of `parts` arrays of equal size, one after the other: 3 for query, key and value, else 1. */
static peft_status add_tensor(conversion *c, const char *name, form f, const io_npy *a, int parts)
{
    tensor t = { .begin = c->size };
    snprintf(t.name, sizeof t.name, "%s", name);
    bool fits = tensor_shape(a, parts, f, &t);
    for (int i = 1; i < parts; i++) fits = fits && a[i].count == a->count && a[i].dim[0] == a->dim[0];
    if (!fits) return io_fail(PEFT_E_FORMAT, "the arrays for '%s' have other extents than expected", name);
    tensor *list = peft_sys_realloc(c->ctx, c->tensor, sizeof *list * (size_t)(c->count + 1));
    if (!list) return io_nomem("tensors");
    c->tensor = list;
    const size_t bytes = (size_t)a->count * F32_BYTES;
    peft_status s = reserve(c, bytes * (size_t)parts);
    for (int i = 0; i < parts && !s; i++, c->size += bytes) {
        if (f == PATCH) write_patch(a, c->data + c->size);
        else write_array(&a[i], f, t.dim[1], c->data + c->size);
    }
    if (!s) c->tensor[c->count++] = t;
    return s;
}

/* Converts row r of outer_rows, a tensor outside of the blocks. */
static peft_status add_outer(conversion *c, int r)
{
    array a = { 0 };
    if (outer_rows[r].optional && locate(c, outer_rows[r].path) < 0) return PEFT_OK;
    peft_status s = read_array(c, outer_rows[r].path, &a);
    if (!s) s = add_tensor(c, outer_rows[r].timm, outer_rows[r].form, &a.npy, 1);
    peft_sys_free(c->ctx, a.file);
    return s;
}

/* Converts row r of block_rows for all blocks. An array that holds all blocks is read once. */
static peft_status add_blocks(conversion *c, int r)
{
    array a[3] = { { 0 } };
    const int parts = block_rows[r].path[1] ? 3 : 1;          /* query, key and value, or one array */
    peft_status s = PEFT_OK;
    for (int64_t layer = 0; layer < c->blocks && !s; layer++) {
        io_npy part[3];
        char path[PATH_SIZE], name[NAME_SIZE];
        for (int i = 0; i < parts && !s; i++) {
            if (!c->stacked || layer == 0) {
                peft_sys_free(c->ctx, a[i].file);
                a[i].file = NULL;
                block_path(c, layer, block_rows[r].module, block_rows[r].path[i], path);
                s = read_array(c, path, &a[i]);
            }
            part[i] = a[i].npy;
            if (!s) s = select_block(c, layer, &part[i]);
        }
        snprintf(name, sizeof name, "blocks.%d.%s", (int)layer, block_rows[r].timm);
        if (!s) s = add_tensor(c, name, block_rows[r].form, part, parts);
    }
    for (int i = 0; i < parts; i++) peft_sys_free(c->ctx, a[i].file);
    return s;
}

/* Sets c->blocks: from the first extent of an array of all blocks, or as the number of blocks that have arrays. */
static peft_status count_blocks(conversion *c)
{
    char path[PATH_SIZE];
    array a = { 0 };
    for (c->blocks = 0; !c->stacked && c->blocks <= MAX_BLOCKS; c->blocks++) {
        block_path(c, c->blocks, NORM1, "scale", path);
        if (locate(c, path) < 0) break;
    }
    if (c->stacked) {
        block_path(c, FIRST_BLOCK, NORM1, "scale", path);
        peft_status s = read_array(c, path, &a);
        if (s) return s;
        c->blocks = a.npy.dim[0];
        peft_sys_free(c->ctx, a.file);
    }
    if (c->blocks < 1 || c->blocks > MAX_BLOCKS)
        return io_fail(PEFT_E_UNSUPPORTED, "%lld blocks, expected 1 to %d", (long long)c->blocks, MAX_BLOCKS);
    return PEFT_OK;
}

/* Finds the prefix of all paths, the names of modules, whether one array holds all blocks, and the number of blocks. */
static peft_status detect(conversion *c)
{
    static const char *const prefixes[] = { "", "params/", "opt/target/" };
    char path[PATH_SIZE];
    if (zip_get_num_entries(c->z, 0) > MAX_ENTRIES)
        return io_fail(PEFT_E_UNSUPPORTED, "%lld entries, the limit is %d", (long long)zip_get_num_entries(c->z, 0),
                       MAX_ENTRIES);
    for (int i = 0; i < ELEMENTS_OF(prefixes); i++) {
        c->prefix = prefixes[i];
        if (locate(c, "embedding/kernel") < 0) continue;
        for (int k = 0; k < 4; k++) {                         /* bit 0: naming; bit 1: stacked */
            c->naming = k & 1;
            c->stacked = (k & 2) != 0;
            block_path(c, FIRST_BLOCK, ATTENTION, "query/kernel", path);
            if (locate(c, path) >= 0) return count_blocks(c);
        }
    }
    return io_fail(PEFT_E_FORMAT, "no ViT found: expected the arrays embedding/kernel and Transformer/encoderblock..; "
                   "a data set of MedMNIST has train_images and train_labels (programs: --data)");
}

/* Writes the tensors, and as metadata the preprocessing that all checkpoints in this format have. */
static peft_status write_file(const conversion *c, const char *path)
{
    static const char *const notes[] = { "format", "pt", "resample", "bilinear", "mean", "0.5:0.5:0.5",
                                         "std", "0.5:0.5:0.5", NULL };
    peft_named_data *list = io_alloc(c->ctx, c->count, sizeof *list);
    if (!list) return io_nomem("tensors");
    for (int i = 0; i < c->count; i++) {
        const tensor *t = &c->tensor[i];
        list[i] = (peft_named_data){ .name = t->name, .type = PEFT_F32, .ndim = t->ndim, .data = c->data + t->begin };
        memcpy(list[i].dim, t->dim, sizeof *t->dim * (size_t)t->ndim);
    }
    const peft_status s = peft_sys_write_tensors(path, list, (size_t)c->count, notes);
    peft_sys_free(c->ctx, list);
    return s;
}

/* Makes all tensors in memory. */
static peft_status convert(conversion *c)
{
    peft_status s = detect(c);
    for (int r = 0; r < ELEMENTS_OF(outer_rows) && !s; r++) s = add_outer(c, r);
    for (int r = 0; r < ELEMENTS_OF(block_rows) && !s; r++) s = add_blocks(c, r);
    return s;
}

peft_status peft_npz_to_safetensors(peft_context *ctx, const char *npz, const char *safetensors)
{
    conversion c = { .ctx = ctx };
    if (!ctx || !npz || !safetensors)
        return io_fail(PEFT_E_INVALID, "npz to safetensors: %s is NULL", !ctx ? "ctx" : npz ? "safetensors" : "npz");
    peft_status s = io_zip_open(ctx, npz, &c.z);
    if (s) return s;
    s = convert(&c);
    zip_discard(c.z);
    s = s ? io_fail_in(s, npz) : write_file(&c, safetensors);
    peft_sys_free(ctx, c.tensor);
    peft_sys_free(ctx, c.data);
    return s;
}
