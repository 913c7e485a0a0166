/* SPDX-License-Identifier: Apache-2.0
 * tiny_files.h -- copies of safetensors files with one change, and backbone files with the tensor names of timm or
 * Hugging Face. */
#ifndef TINY_FILES_H
#define TINY_FILES_H
#include "tiny_bits.h"

/* A change of the tensor or metadata entry named `what`. DROP: without the tensor. FLATTEN: with one dimension. CUT:
 * only its first row. RETYPE: the header gives its type as I32. ADD: one tensor more. DROP_META: without the entry.
 * SET_META: the entry gets `value`, or is added. */
typedef enum { DROP, FLATTEN, CUT, RETYPE, ADD, DROP_META, SET_META } tiny_how;
typedef struct tiny_change { tiny_how how; const char *what, *value; } tiny_change;

/* Copies the metadata with change c, if that is one of the metadata. */
static inline void tiny_edit_meta(const pf_st *in, pf_st_out *out, const tiny_change *c)
{
    for (size_t i = 0; i < pf_st_meta_count(in); i++) {
        const char *key, *value;
        pf_st_meta_at(in, i, &key, &value);
        if ((c->how != DROP_META && c->how != SET_META) || strcmp(key, c->what)) OK(pf_st_out_meta(out, key, value));
    }
    if (c->how == SET_META) OK(pf_st_out_meta(out, c->what, c->value));
}

/* Copies the file `from` to `to` with change c. */
static inline void tiny_edit(const char *from, const char *to, const tiny_change *c)
{
    static const float zeros[8];
    peft_context *ctx = tiny_plain_context();
    pf_st *in;
    pf_st_out *out;
    OK(pf_st_open(ctx, from, &in));
    OK(pf_st_out_create(ctx, &out));
    tiny_edit_meta(in, out, c);
    bool found = c->how == ADD || c->how == DROP_META || c->how == SET_META;   /* these need no tensor `what` */
    for (size_t i = 0; i < pf_st_count(in); i++) {
        const pf_st_tensor *t = pf_st_at(in, i);
        bool changed = c->how <= RETYPE && !strcmp(t->name, c->what);
        int64_t dims[PEFT_MAX_DIMS];
        memcpy(dims, t->dim, sizeof dims);
        found |= changed;
        if (changed && c->how == DROP) continue;
        if (changed && c->how == FLATTEN) dims[0] = pf_dims_count(t->ndim, t->dim);
        if (changed && c->how == CUT) dims[0] = 1;
        OK(pf_st_out_tensor(out, t->name, changed && c->how == RETYPE ? PEFT_I32 : t->type,
                            changed && c->how == FLATTEN ? 1 : t->ndim, dims, t->data));
    }
    ck_assert_msg(found, "%s has no tensor '%s'", from, c->what);
    if (c->how == ADD) OK(pf_st_out_tensor(out, c->what, PEFT_F32, 1, (const int64_t[]){ 8 }, zeros));
    OK(pf_st_out_write(out, to));
    pf_st_out_free(out);
    pf_st_close(in);
    peft_context_free(ctx);
}

/* Asserts that the files a and b are equal. */
static inline void tiny_same_files(const char *a, const char *b)
{
    peft_context *ctx = tiny_plain_context();
    pf_map *x, *y;
    OK(pf_map_open(ctx, a, &x));
    OK(pf_map_open(ctx, b, &y));
    ck_assert_msg(pf_map_size(x) == pf_map_size(y) && !memcmp(pf_map_data(x), pf_map_data(y), pf_map_size(x)),
                  "%s and %s differ", a, b);
    pf_map_close(x);
    pf_map_close(y);
    peft_context_free(ctx);
}

/* --- backbone files with the names of other libraries ------------------------------------------- */
typedef enum { TIMM, HF, HF5 } tiny_naming;
/* How a backbone is written. prefix: in front of every name, with HF and HF5 except the head's; NULL: none. type: that
 * of the tensors; 0: f32. no_facts: without the metadata of tiny_save_facts. */
typedef struct tiny_save { tiny_naming naming; const char *prefix; peft_dtype type; bool no_facts; } tiny_save;
/* timm's names and Hugging Face's (before and since transformers 5), written independently of the library's own tables:
 * a test that shared a table with the library would not see a wrong name. Where a row has three names, timm's tensor is
 * those three stacked. tiny_hf5 holds the rows that differ from tiny_hf. */
typedef struct tiny_name { const char *timm, *hugging_face[3]; } tiny_name;
static const tiny_name tiny_hf[] = {
    { "cls_token", { "embeddings.cls_token" } }, { "reg_token", { "embeddings.register_tokens" } },
    { "pos_embed", { "embeddings.position_embeddings" } }, { "patch_embed.proj.",
        { "embeddings.patch_embeddings.projection." } },
    { "norm1.", { "layernorm_before." } }, { "norm2.", { "layernorm_after." } },
    { "attn.qkv.", { "attention.attention.query.", "attention.attention.key.", "attention.attention.value." } },
    { "attn.proj.", { "attention.output.dense." } }, { "mlp.fc1.", { "intermediate.dense." } }, { "mlp.fc2.",
        { "output.dense." } },
    { "ls1.gamma", { "layer_scale1.lambda1" } }, { "ls2.gamma", { "layer_scale2.lambda1" } },
    { "norm.", { "layernorm." } }, { "head.", { "classifier." } }, { 0 } };
static const tiny_name tiny_hf5[] = {
    { "attn.qkv.", { "attention.q_proj.", "attention.k_proj.", "attention.v_proj." } }, { "attn.proj.",
        { "attention.o_proj." } },
    { "mlp.fc1.", { "mlp.fc1." } }, { "mlp.fc2.", { "mlp.fc2." } }, { 0 } };

/* Writes to `out` the name that part p of the tensor has in the file, where timm calls the tensor `name`. Returns false
 * if it has no part p: most tensors have part 0 only, qkv with HF and HF5 parts 0 to 2. */
static inline bool tiny_rename(const tiny_save *s, const char *name, int p, char *out, size_t size)
{
    /* the first row that fits counts */
    const tiny_name *tables[] = { s->naming == HF5 ? tiny_hf5 : tiny_hf, tiny_hf };
    char front[64] = "";                                      /* of a block's tensors: "encoder.layer.3." */
    long long layer;
    int skip = 0;                                             /* length of "blocks.3." in name */
    const char *prefix = s->prefix ? s->prefix : "";
    if (s->naming == TIMM) return p == 0 && snprintf(out, size, "%s%s", prefix, name) > 0;
    if (!strncmp(name, "head.", 5)) prefix = "";
    if (sscanf(name, "blocks.%lld.%n", &layer, &skip) == 1)
        snprintf(front, sizeof front, s->naming == HF ? "encoder.layer.%lld." : "layers.%lld.", layer);
    for (int t = 0; t < 2; t++)
        for (const tiny_name *r = tables[t]; r->timm; r++) {
            size_t n = strlen(r->timm);
            if (strncmp(name + skip, r->timm, n)) continue;
            return p < 3 && r->hugging_face[p] && snprintf(out, size, "%s%s%s%s", prefix, front, r->hugging_face[p],
                                                      name + skip + n) > 0;
        }
    ck_abort_msg("no name for %s", name);
    return false;
}

/* Writes the metadata that tensors do not tell: heads, eps, activation and pooling. */
static inline void tiny_save_facts(const peft_backbone *b, pf_st_out *out)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)b->shape.heads);
    OK(pf_st_out_meta(out, "heads", text));
    pf_print_float(text, sizeof text, b->shape.eps);
    OK(pf_st_out_meta(out, "eps", text));
    OK(pf_st_out_meta(out, "act", b->shape.act == PK_GELU ? "gelu" : "quickgelu"));
    OK(pf_st_out_meta(out, "pool", pf_feature_name(b->shape.pool)));
}

/* Writes b to a file with the settings s, values rounded to s->type (0: f32). */
static inline void tiny_save_backbone(const peft_backbone *b, const tiny_save *s, const char *path)
{
    pf_st_out *out;
    peft_dtype type = s->type ? s->type : PEFT_F32;
    void *converted[1024];
    size_t pieces = 0;
    OK(pf_st_out_create(b->ctx, &out));
    if (!s->no_facts) tiny_save_facts(b, out);
    for (size_t i = 0; i < b->weights; i++) {
        const peft_tensor *t = &b->weight[i].tensor;
        char name[160];
        int parts = 0;
        while (tiny_rename(s, b->weight[i].name, parts, name, sizeof name)) parts++;
        int64_t n = peft_tensor_count(t) / parts, dims[PEFT_MAX_DIMS];
        memcpy(dims, t->dim, sizeof dims);
        dims[0] /= parts;
        for (int p = 0; p < parts; p++, pieces++) {
            ck_assert_uint_lt(pieces, 1024);
            converted[pieces] = malloc((size_t)n * 8);
            ck_assert(pf_from_real(converted[pieces], type, (const pk_real *)t->data + p * n, n));
            tiny_rename(s, b->weight[i].name, p, name, sizeof name);
            OK(pf_st_out_tensor(out, name, type, t->ndim, dims, converted[pieces]));
        }
    }
    OK(pf_st_out_write(out, path));
    pf_st_out_free(out);
    while (pieces) free(converted[--pieces]);
}

static inline peft_backbone *tiny_load(peft_context *ctx, const char *path, const char *options)
{
    peft_backbone *b;
    peft_options *o = tiny_options(ctx, "%s", options);
    OK(peft_backbone_load(ctx, path, o, &b));
    peft_options_free(o);
    return b;
}
#endif
