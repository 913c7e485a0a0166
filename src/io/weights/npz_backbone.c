/* SPDX-License-Identifier: Apache-2.0
 * npz_backbone.c -- a ViT in Google's .npz becomes a safetensors file under timm's names. Dense
 * kernels are [in, out] there, with the heads as an extent of their own, and the patch kernel has colours and outputs
 * last. big_vision counts modules in another way and may stack all blocks along a first extent. */
#include <peft/sys/tensors.h>
#include "io/archive/npy.h"
#include "io/archive/zip.h"
#include <stdio.h>

enum { MOST_ENTRIES = 4096, MOST_BLOCKS = 64, NAME = 64, PATH = 200 };

/* VECTOR: flattened. TOKENS: to [1, n, d]. IN, OUT: a dense kernel whose first extent is the input, or whose last is
 * the output; transposed. PATCH: [p, p, c, d] to [d, c, p, p]. */
typedef enum { VECTOR, TOKENS, IN, OUT, PATCH } form;
typedef enum { NORM1, ATTENTION, NORM2, MLP } module;
static const char *const modules[2][4] = {
    { "LayerNorm_0", "MultiHeadDotProductAttention_1", "LayerNorm_2", "MlpBlock_3" },
    { "LayerNorm_0", "MultiHeadDotProductAttention_0", "LayerNorm_1", "MlpBlock_0" } };

static const struct { const char *timm, *path; form form; bool optional; } top[] = {
    { "cls_token", "cls", TOKENS, false }, { "pos_embed", "Transformer/posembed_input/pos_embedding", TOKENS, true },
    { "pos_embed", "pos_embedding", TOKENS, true },
    { "patch_embed.proj.weight", "embedding/kernel", PATCH, false },
    { "patch_embed.proj.bias", "embedding/bias", VECTOR, false },
    { "norm.weight", "Transformer/encoder_norm/scale", VECTOR, false },
    { "norm.bias", "Transformer/encoder_norm/bias", VECTOR, false },
    { "head.weight", "head/kernel", IN, true }, { "head.bias", "head/bias", VECTOR, true } };
static const struct { const char *timm; module module; form form; const char *path[3]; } block[] = {
    { "norm1.weight", NORM1, VECTOR, { "scale" } }, { "norm1.bias", NORM1, VECTOR, { "bias" } },
    { "attn.qkv.weight", ATTENTION, IN, { "query/kernel", "key/kernel", "value/kernel" } },
    { "attn.qkv.bias", ATTENTION, VECTOR, { "query/bias", "key/bias", "value/bias" } },
    { "attn.proj.weight", ATTENTION, OUT, { "out/kernel" } }, { "attn.proj.bias", ATTENTION, VECTOR, { "out/bias" } },
    { "norm2.weight", NORM2, VECTOR, { "scale" } }, { "norm2.bias", NORM2, VECTOR, { "bias" } },
    { "mlp.fc1.weight", MLP, IN, { "Dense_0/kernel" } }, { "mlp.fc1.bias", MLP, VECTOR, { "Dense_0/bias" } },
    { "mlp.fc2.weight", MLP, IN, { "Dense_1/kernel" } }, { "mlp.fc2.bias", MLP, VECTOR, { "Dense_1/bias" } } };
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

typedef struct { uint8_t *file; io_npy a; } array;
typedef struct { char name[NAME]; int ndim; int64_t dim[4]; size_t begin; } tensor;
typedef struct {
    peft_context *ctx;
    zip_t *z;
    const char *prefix;
    int layout;                                               /* of modules */
    bool stacked;
    int64_t blocks;
    tensor *tensor; int count;
    uint8_t *data; size_t size, room;
} conversion;

static zip_int64_t locate(const conversion *c, const char *path)
{
    char name[PATH + 32];
    snprintf(name, sizeof name, "%s%s.npy", c->prefix, path);
    return zip_name_locate(c->z, name, 0);
}

static peft_status read_array(const conversion *c, const char *path, array *out)
{
    zip_int64_t index = locate(c, path);
    size_t size;
    if (index < 0) return io_fail(PEFT_E_FORMAT, "no array '%s%s'", c->prefix, path);
    peft_status s = io_zip_read(c->ctx, c->z, index, &out->file, &size);
    if (!s && (s = io_npy_parse(out->file, size, IO_NPY_F32, &out->a))) {
        peft_sys_free(c->ctx, out->file);
        out->file = NULL;
    }
    return s ? io_fail_in(s, path) : PEFT_OK;
}

static void block_path(const conversion *c, int64_t layer, module m, const char *path, char out[PATH])
{
    char number[24] = "";
    if (!c->stacked) snprintf(number, sizeof number, "_%lld", (long long)layer);
    snprintf(out, PATH, "Transformer/encoderblock%s/%s/%s", number, modules[c->layout][m], path);
}

/* Takes away the first extent of a stack of blocks and moves to one of them. */
static peft_status slice(const conversion *c, int64_t layer, io_npy *a)
{
    if (!c->stacked) return PEFT_OK;
    if (a->ndim < 2 || a->dim[0] != c->blocks)
        return io_fail(PEFT_E_FORMAT, "a stack of %lld blocks, expected %lld", (long long)a->dim[0],
                       (long long)c->blocks);
    a->count /= c->blocks;
    a->data += layer * a->count * a->bytes;
    memmove(a->dim, a->dim + 1, sizeof *a->dim * (size_t)--a->ndim);
    return PEFT_OK;
}

/* Room for bytes more behind the data. */
static peft_status grow(conversion *c, size_t bytes)
{
    if (bytes <= c->room - c->size) return PEFT_OK;
    size_t room = c->size + c->size / 2 + bytes;
    uint8_t *data = peft_sys_realloc(c->ctx, c->data, room);
    if (!data) return io_nomem("tensors");
    c->data = data;
    c->room = room;
    return PEFT_OK;
}

/* Values of a at to; transposed: a [in, out] as [out, in]. */
static void put(const io_npy *a, form f, int64_t in, uint8_t *to)
{
    const int64_t out = in ? a->count / in : 0;
    if (f == VECTOR || f == TOKENS) memcpy(to, a->data, (size_t)a->count * 4);
    else
        for (int64_t i = 0; i < in; i++)
            for (int64_t o = 0; o < out; o++) memcpy(to + 4 * (o * in + i), a->data + 4 * (i * out + o), 4);
}

/* [p, p, c, d] as a dense kernel with inputs in the order c, p, p. */
static void put_patch(const io_npy *a, uint8_t *to)
{
    const int64_t p = a->dim[0] * a->dim[1], colours = a->dim[2], d = a->dim[3];
    for (int64_t i = 0; i < p; i++)
        for (int64_t k = 0; k < colours; k++)
            for (int64_t o = 0; o < d; o++)
                memcpy(to + 4 * ((o * colours + k) * p + i), a->data + 4 * ((i * colours + k) * d + o), 4);
}

/* The extents under timm; false: the array has others than such a tensor. */
static bool extents(const io_npy *a, int parts, form f, tensor *t)
{
    const int64_t last = a->dim[a->ndim - 1];
    int64_t in = f == IN ? a->dim[0] : last ? a->count / last : 0;
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

/* parts arrays of one size, one after the other, become one tensor. */
static peft_status add(conversion *c, const char *name, form f, const io_npy *a, int parts)
{
    tensor t = { .begin = c->size };
    snprintf(t.name, sizeof t.name, "%s", name);
    bool fits = extents(a, parts, f, &t);
    for (int i = 1; i < parts; i++) fits = fits && a[i].count == a->count && a[i].dim[0] == a->dim[0];
    if (!fits) return io_fail(PEFT_E_FORMAT, "the arrays for '%s' have other extents than expected", name);
    tensor *list = peft_sys_realloc(c->ctx, c->tensor, sizeof *list * (size_t)(c->count + 1));
    if (!list) return io_nomem("tensors");
    c->tensor = list;
    const size_t bytes = (size_t)a->count * 4;
    peft_status s = grow(c, bytes * (size_t)parts);
    for (int i = 0; i < parts && !s; i++, c->size += bytes) {
        if (f == PATCH) put_patch(a, c->data + c->size);
        else put(&a[i], f, t.dim[1], c->data + c->size);
    }
    if (!s) c->tensor[c->count++] = t;
    return s;
}

static peft_status add_top(conversion *c, int r)
{
    array a = { 0 };
    if (top[r].optional && locate(c, top[r].path) < 0) return PEFT_OK;
    peft_status s = read_array(c, top[r].path, &a);
    if (!s) s = add(c, top[r].timm, top[r].form, &a.a, 1);
    peft_sys_free(c->ctx, a.file);
    return s;
}

/* One row of all blocks: a stack is read once. */
static peft_status add_blocks(conversion *c, int r)
{
    array a[3] = { { 0 } };
    const int parts = block[r].path[1] ? 3 : 1;
    peft_status s = PEFT_OK;
    for (int64_t layer = 0; layer < c->blocks && !s; layer++) {
        io_npy one[3];
        char path[PATH], name[NAME];
        for (int i = 0; i < parts && !s; i++) {
            if (!c->stacked || !layer) {
                peft_sys_free(c->ctx, a[i].file);
                a[i].file = NULL;
                block_path(c, layer, block[r].module, block[r].path[i], path);
                s = read_array(c, path, &a[i]);
            }
            one[i] = a[i].a;
            if (!s) s = slice(c, layer, &one[i]);
        }
        snprintf(name, sizeof name, "blocks.%d.%s", (int)layer, block[r].timm);
        if (!s) s = add(c, name, block[r].form, one, parts);
    }
    for (int i = 0; i < parts; i++) peft_sys_free(c->ctx, a[i].file);
    return s;
}

static peft_status count_blocks(conversion *c)
{
    char path[PATH];
    array a = { 0 };
    for (c->blocks = 0; !c->stacked && c->blocks <= MOST_BLOCKS; c->blocks++) {
        block_path(c, c->blocks, NORM1, "scale", path);
        if (locate(c, path) < 0) break;
    }
    if (c->stacked) {
        block_path(c, 0, NORM1, "scale", path);
        peft_status s = read_array(c, path, &a);
        if (s) return s;
        c->blocks = a.a.dim[0];
        peft_sys_free(c->ctx, a.file);
    }
    if (c->blocks < 1 || c->blocks > MOST_BLOCKS)
        return io_fail(PEFT_E_UNSUPPORTED, "%lld blocks, expected 1 to %d", (long long)c->blocks, MOST_BLOCKS);
    return PEFT_OK;
}

/* What stands in front of the names, how modules are counted, and how many blocks there are. */
static peft_status detect(conversion *c)
{
    static const char *const prefixes[] = { "", "params/", "opt/target/" };
    char path[PATH];
    if (zip_get_num_entries(c->z, 0) > MOST_ENTRIES)
        return io_fail(PEFT_E_UNSUPPORTED, "%lld entries, the limit is %d", (long long)zip_get_num_entries(c->z, 0),
                       MOST_ENTRIES);
    for (int i = 0; i < COUNT(prefixes); i++) {
        c->prefix = prefixes[i];
        if (locate(c, "embedding/kernel") < 0) continue;
        for (int k = 0; k < 4; k++) {
            c->layout = k & 1;
            c->stacked = k & 2;
            block_path(c, 0, ATTENTION, "query/kernel", path);
            if (locate(c, path) >= 0) return count_blocks(c);
        }
    }
    return io_fail(PEFT_E_FORMAT, "no ViT found: expected the arrays embedding/kernel and Transformer/encoderblock..");
}

/* The tensors, with what is known of every network in this format. */
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

static peft_status convert(conversion *c)
{
    peft_status s = detect(c);
    for (int r = 0; r < COUNT(top) && !s; r++) s = add_top(c, r);
    for (int r = 0; r < COUNT(block) && !s; r++) s = add_blocks(c, r);
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
