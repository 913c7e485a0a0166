/* SPDX-License-Identifier: Apache-2.0
 * tiny_files.h -- files with one thing changed, and backbone files under the names of other libraries. */
#ifndef TINY_FILES_H
#define TINY_FILES_H
#include "tiny_bits.h"

/* What happens to the tensor or metadata entry `what`. SET_META gives it `value`, or adds it; ADD adds a tensor. */
typedef enum { DROP, FLATTEN, CUT, RETYPE, ADD, DROP_META, SET_META } tiny_how;
typedef struct tiny_change { tiny_how how; const char *what, *value; } tiny_change;

static inline void tiny_edit_meta(const pf_st *in, pf_st_out *out, const tiny_change *c)
{
    for (size_t i = 0; i < pf_st_meta_count(in); i++) {
        const char *key, *value;
        pf_st_meta_at(in, i, &key, &value);
        if ((c->how != DROP_META && c->how != SET_META) || strcmp(key, c->what)) OK(pf_st_out_meta(out, key, value));
    }
    if (c->how == SET_META) OK(pf_st_out_meta(out, c->what, c->value));
}

/* DROP leaves the tensor out, FLATTEN gives it one extent, CUT its first row only, RETYPE calls it I32. */
static inline void tiny_edit(const char *from, const char *to, const tiny_change *c)
{
    static const float zeros[8];
    peft_context *ctx = tiny_context(NULL, 1);
    pf_st *in;
    pf_st_out *out;
    OK(pf_st_open(ctx, from, &in));
    OK(pf_st_out_create(ctx, &out));
    tiny_edit_meta(in, out, c);
    bool found = c->how >= ADD;
    for (size_t i = 0; i < pf_st_count(in); i++) {
        const pf_st_tensor *t = pf_st_at(in, i);
        bool it = c->how < ADD && !strcmp(t->name, c->what);
        int64_t dims[PEFT_MAX_DIMS];
        memcpy(dims, t->dim, sizeof dims);
        found |= it;
        if (it && c->how == DROP) continue;
        if (it && c->how == FLATTEN) dims[0] = pf_dims_count(t->ndim, t->dim);
        if (it && c->how == CUT) dims[0] = 1;
        OK(pf_st_out_tensor(out, t->name, it && c->how == RETYPE ? PEFT_I32 : t->type, it && c->how == FLATTEN ? 1
            : t->ndim,
                            dims, t->data));
    }
    ck_assert_msg(found, "%s: no %s in it", from, c->what);
    if (c->how == ADD) OK(pf_st_out_tensor(out, c->what, PEFT_F32, 1, (const int64_t[]){ 8 }, zeros));
    OK(pf_st_out_write(out, to));
    pf_st_out_free(out);
    pf_st_close(in);
    peft_context_free(ctx);
}

/* --- a backbone as a file --------------------------------------------------------------------- */
typedef enum { TIMM, HF, HF5 } tiny_naming;
typedef struct tiny_save { tiny_naming naming; const char *prefix; peft_dtype type; bool no_facts; } tiny_save;
/* The rows of Hugging Face's two generations, written down apart from the library's own; several names are stacked. */
typedef struct tiny_name { const char *timm, *theirs[3]; } tiny_name;
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

/* Part p of what timm calls name, as the file shall call it; false: there is no such part. */
static inline bool tiny_rename(const tiny_save *s, const char *name, int p, char *out, size_t room)
{
    const tiny_name *tables[] = { s->naming == HF5 ? tiny_hf5 : tiny_hf, tiny_hf };
    char front[64] = "";
    long long layer;
    int skip = 0;
    const char *prefix = s->prefix ? s->prefix : "";
    if (s->naming == TIMM) return p == 0 && snprintf(out, room, "%s%s", prefix, name) > 0;
    if (!strncmp(name, "head.", 5)) prefix = "";
    if (sscanf(name, "blocks.%lld.%n", &layer, &skip) == 1)
        snprintf(front, sizeof front, s->naming == HF ? "encoder.layer.%lld." : "layers.%lld.", layer);
    for (int t = 0; t < 2; t++)
        for (const tiny_name *r = tables[t]; r->timm; r++) {
            size_t n = strlen(r->timm);
            if (strncmp(name + skip, r->timm, n)) continue;
            return p < 3 && r->theirs[p] && snprintf(out, room, "%s%s%s%s", prefix, front, r->theirs[p], name + skip
                + n) > 0;
        }
    ck_abort_msg("no name for %s", name);
    return false;
}

static inline void tiny_save_facts(const peft_backbone *b, pf_st_out *out)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)b->shape.heads);
    OK(pf_st_out_meta(out, "heads", text));
    pf_print_float(text, sizeof text, b->shape.eps);
    OK(pf_st_out_meta(out, "eps", text));
    OK(pf_st_out_meta(out, "act", b->shape.act == PK_GELU ? "gelu" : "quickgelu"));
    OK(pf_st_out_meta(out, "pool", b->shape.mean_pool ? "mean" : "cls"));
}

/* Writes b with the names of s, values rounded to s->type. */
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
