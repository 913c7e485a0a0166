/* SPDX-License-Identifier: Apache-2.0
 * load.c -- a backbone from a safetensors file: detect the naming, infer the shape, take every tensor (mapped where it
 * is f32 already), resample the position embedding, and account for every name in the file. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/model/backbone.h"
#include "core/model/pos_embed.h"

const pf_opt pf_backbone_load_options[] = {
    { "image_size", 'i', "0", 0, 65536, "side to work at; 0: as in the file; else the position embedding is resampled" },
    { "resample", 's', "auto", 0, 0, "timm, hf, mmcls or bilinear; auto: by the file's naming" },
    { "naming", 's', "auto", 0, 0, "auto, timm or hf" },
    { "patch", 'i', "0", 0, 1024, "side of a patch; 0: from the weights" },
    { "heads", 'i', "0", 0, 65536, "attention heads; 0: from the file's header, else width / 64" },
    { "eps", 'f', "0", 0, 1, "epsilon of LayerNorm; 0: from the file's header, else by family" },
    { "act", 's', "auto", 0, 0, "gelu or quickgelu; auto: from the file's header, else gelu" },
    { "pool", 's', "auto", 0, 0, "cls or mean; auto: mean where the file has fc_norm" },
    { 0 } };

typedef struct { peft_context *ctx; const peft_options *o; pf_st *file; pf_naming naming; char prefix[PF_NAME_MAX];
                 pf_vit_shape shape; int64_t native_grid; char missing[640]; int missing_count; } loader;

/* The tensors that make up `name`; false when a part is absent. */
static bool find(const loader *l, const char *name, const pf_st_tensor *part[3], int *parts)
{
    pf_source s;
    for (int v = 0; pf_naming_source(l->naming, l->prefix, name, v, &s); v++) {
        int got = 0;
        while (got < s.parts && (part[got] = pf_st_find(l->file, s.name[got]))) got++;
        *parts = s.parts;
        if (got == s.parts) return true;
    }
    return false;
}

static const pf_st_tensor *first(const loader *l, const char *name)
{
    const pf_st_tensor *part[3];
    int parts;
    return find(l, name, part, &parts) ? part[0] : NULL;
}

static int64_t dim_of(const loader *l, const char *name, int axis)
{
    const pf_st_tensor *t = first(l, name);
    return t && axis < t->ndim ? t->dim[axis] : 0;
}

/* A number the weights do not tell: an option, else the header's entry, else the fallback. */
static double fact(const loader *l, const char *name, double fallback)
{
    double v = pf_options_float(l->o, pf_backbone_load_options, name);
    const char *meta = pf_st_meta(l->file, name);
    if (v > 0) return v;
    return meta && pf_parse_float(meta, &v) ? v : fallback;
}

static const char *word(const loader *l, const char *name, const char *fallback)
{
    const char *s = pf_options_string(l->o, pf_backbone_load_options, name), *meta = pf_st_meta(l->file, name);
    return strcmp(s, "auto") ? s : meta ? meta : fallback;
}

static peft_status detect(loader *l)
{
    const char *asked = pf_options_string(l->o, pf_backbone_load_options, "naming");
    if (!pf_naming_detect(l->file, &l->naming, l->prefix))
        return pf_fail(PEFT_E_FORMAT, "no ViT found: expected a tensor named ..blocks.0.attn.qkv.weight (timm), "
                       "..encoder.layer.0.attention.attention.query.weight or ..layers.0.attention.q_proj.weight (Hugging Face)");
    if (strcmp(asked, "auto") && strncmp(asked, pf_naming_name[l->naming], strlen(asked)))
        return pf_fail(PEFT_E_OPTION, "naming: given '%s', but the file's names are %s", asked, pf_naming_name[l->naming]);
    return PEFT_OK;
}

static peft_status infer(loader *l)
{
    pf_vit_shape *s = &l->shape;
    char name[PF_NAME_MAX];
    s->width = dim_of(l, "cls_token", 2);
    const pf_st_tensor *proj = first(l, "patch_embed.proj.weight");
    if (!s->width || !proj) return pf_fail(PEFT_E_FORMAT, "missing tensors: cls_token and patch_embed.proj.weight are needed to know the shape");
    for (s->depth = 0; s->depth <= PF_DEPTH_MAX; s->depth++) {
        snprintf(name, sizeof name, "blocks.%lld.norm1.weight", (long long)s->depth);
        if (!first(l, name)) break;
    }
    s->mlp = dim_of(l, "blocks.0.mlp.fc1.weight", 0);
    s->registers = dim_of(l, "reg_token", 1);
    s->classes = dim_of(l, "head.weight", 0);
    s->layer_scale = first(l, "blocks.0.ls1.gamma") != NULL;
    s->qkv_bias = first(l, "blocks.0.attn.qkv.bias") != NULL;
    s->patch_bias = first(l, "patch_embed.proj.bias") != NULL;
    s->norm_pre = first(l, "norm_pre.weight") != NULL;
    const char *pool = word(l, "pool", first(l, "fc_norm.weight") ? "mean" : "cls");
    if (strcmp(pool, "mean") && strcmp(pool, "cls")) return pf_fail(PEFT_E_OPTION, "pool: given '%s', expected cls or mean", pool);
    s->mean_pool = !strcmp(pool, "mean");
    s->patch = proj->ndim == 4 ? proj->dim[3] : (int64_t)fact(l, "patch", 0);
    if (s->patch < 1) return pf_fail(PEFT_E_OPTION, "patch: not in the weights, expected as an option");
    int64_t rows = dim_of(l, "pos_embed", 1);
    l->native_grid = (int64_t)llround(sqrt((double)rows));
    s->pos_prefix = l->native_grid * l->native_grid != rows;
    if (s->pos_prefix) l->native_grid = (int64_t)llround(sqrt((double)(rows - 1)));
    if (l->native_grid * l->native_grid + s->pos_prefix != rows)
        return pf_fail(PEFT_E_FORMAT, "pos_embed has %lld rows: expected a square grid, with or without one row for the class token", (long long)rows);
    bool dino = l->naming != PF_NAMING_TIMM && s->layer_scale;
    s->heads = (int64_t)fact(l, "heads", (double)(s->width % 64 ? 1 : s->width / 64));
    s->eps = fact(l, "eps", l->naming == PF_NAMING_TIMM || dino ? 1e-6 : 1e-12);
    s->act = pf_act_named(word(l, "act", "gelu"));
    s->image = pf_options_int(l->o, pf_backbone_load_options, "image_size");
    if (!s->image) s->image = l->native_grid * s->patch;
    return pf_shape_check(s);
}

static void note_missing(loader *l, const char *name)
{
    size_t used = strlen(l->missing);
    if (l->missing_count++ < 8) snprintf(l->missing + used, sizeof l->missing - used, "%s%s", used ? ", " : "", name);
}

/* Parts stacked into one dense block of pk_real; a single aligned part of our type stays where it is mapped. */
static peft_status take(loader *l, peft_backbone *b, size_t i, peft_tensor *t, const pf_st_tensor *part[3], int parts)
{
    int64_t count = 0, want = peft_tensor_count(t);
    char given[96];
    for (int p = 0; p < parts; p++) count += pf_dims_count(part[p]->ndim, part[p]->dim);
    if (count != want || (parts == 1 && part[0]->ndim > 1 && part[0]->dim[0] != t->dim[0]))
        return pf_fail(PEFT_E_FORMAT, "tensor '%s': given %s, expected %lld values", part[0]->name,
                       pf_dims_text(given, sizeof given, part[0]->ndim, part[0]->dim), (long long)want);
    if (parts == 1 && part[0]->type == PF_REAL && (uintptr_t)part[0]->data % sizeof(pk_real) == 0) {
        t->data = (void *)(uintptr_t)part[0]->data;
        return PEFT_OK;
    }
    (void)l;
    t->data = pf_alloc(b->ctx, pf_tensor_bytes(t));
    if (!t->data) return pf_nomem(b->weight[i].name, pf_tensor_bytes(t));
    t->owned = true;
    pk_real *to = t->data;
    for (int p = 0; p < parts; p++) {
        int64_t n = pf_dims_count(part[p]->ndim, part[p]->dim);
        if (!pf_to_real(to, part[p]->data, part[p]->type, n))
            return pf_fail(PEFT_E_DTYPE, "tensor '%s': given %s, expected F32, F16 or BF16", part[p]->name, part[p]->type_name);
        to += n;
    }
    return PEFT_OK;
}

/* With registers Hugging Face keeps a position row for the class token where timm has none: it joins cls_token. */
static peft_status fold_class_position(peft_backbone *b)
{
    peft_tensor *pos = NULL, *cls = NULL;
    for (size_t i = 0; i < b->weights; i++) {
        if (!strcmp(b->weight[i].name, "pos_embed")) pos = &b->weight[i].tensor;
        if (!strcmp(b->weight[i].name, "cls_token")) cls = &b->weight[i].tensor;
    }
    pk_real *sum = pf_alloc(b->ctx, pf_tensor_bytes(cls)), *rest = pf_alloc(b->ctx, pf_tensor_bytes(pos));
    if (!sum || !rest) {
        pf_free(b->ctx, sum);
        pf_free(b->ctx, rest);
        return pf_nomem("cls_token", pf_tensor_bytes(pos));
    }
    const pk_real *c = cls->data, *p = pos->data;
    for (int64_t i = 0; i < b->shape.width; i++) sum[i] = c[i] + p[i];
    memcpy(rest, p + b->shape.width, pf_tensor_bytes(pos) - (size_t)b->shape.width * sizeof *p);
    if (cls->owned) pf_free(b->ctx, cls->data);
    if (pos->owned) pf_free(b->ctx, pos->data);
    cls->data = sum;
    pos->data = rest;
    cls->owned = pos->owned = true;
    pos->dim[1]--;
    b->shape.pos_prefix = false;
    return PEFT_OK;
}

static peft_status resample(loader *l, peft_backbone *b)
{
    int64_t grid = pf_vit_grid(&b->shape), width = b->shape.width;
    const char *rule = pf_options_string(l->o, pf_backbone_load_options, "resample");
    if (!strcmp(rule, "auto")) rule = l->naming == PF_NAMING_TIMM ? "timm" : "hf";
    for (size_t i = 0; i < b->weights && grid != l->native_grid; i++) {
        if (strcmp(b->weight[i].name, "pos_embed")) continue;
        peft_tensor *t = &b->weight[i].tensor;
        b->native_pos = *t;
        t->owned = false;
        t->dim[1] = b->shape.pos_prefix + grid * grid;
        if (!pf_backbone_own(b, i)) return PEFT_E_NOMEM;
        snprintf(b->resample, sizeof b->resample, "%s", rule);
        return pf_pos_embed_resample(b->ctx, rule, b->native_pos.data, b->shape.pos_prefix, (int)l->native_grid,
                                     (int)l->native_grid, t->data, (int)grid, (int)grid, width);
    }
    return PEFT_OK;
}

static peft_status account(loader *l, const peft_backbone *b)
{
    char extra[640] = "";
    int unknown = 0;
    for (size_t i = 0; i < pf_st_count(l->file); i++) {
        const char *name = pf_st_at(l->file, i)->name;
        bool known = pf_naming_ignored(name);
        pf_source s;
        for (size_t w = 0; w < b->weights && !known; w++)
            for (int v = 0; !known && pf_naming_source(l->naming, l->prefix, b->weight[w].name, v, &s); v++)
                for (int p = 0; p < s.parts; p++) known |= !strcmp(s.name[p], name);
        size_t used = strlen(extra);
        if (!known && unknown++ < 8) snprintf(extra + used, sizeof extra - used, "%s%s", used ? ", " : "", name);
    }
    if (!l->missing_count && !unknown) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "%d tensors missing (%s) and %d unexpected (%s) for a %s ViT of width %lld and depth %lld",
                   l->missing_count, l->missing, unknown, extra, pf_naming_name[l->naming], (long long)b->shape.width, (long long)b->shape.depth);
}

static peft_status fill(loader *l, peft_backbone *b)
{
    for (size_t i = 0; i < b->weights; i++) {
        const pf_st_tensor *part[3];
        int parts;
        peft_tensor *t = &b->weight[i].tensor;
        if (!find(l, b->weight[i].name, part, &parts)) {
            note_missing(l, b->weight[i].name);
            continue;
        }
        if (!strcmp(b->weight[i].name, "pos_embed")) t->dim[1] = b->shape.pos_prefix + l->native_grid * l->native_grid;
        PF_TRY(take(l, b, i, t, part, parts));
    }
    PF_TRY(account(l, b));
    if (l->naming != PF_NAMING_TIMM && b->shape.registers && b->shape.pos_prefix) PF_TRY(fold_class_position(b));
    return resample(l, b);
}

static peft_status load(peft_context *ctx, pf_st *file, const peft_options *o, peft_backbone **out)
{
    loader l = { .ctx = ctx, .o = o, .file = file };
    peft_status s = detect(&l);
    if (!s) s = infer(&l);
    peft_backbone *b = NULL;
    if (!s) s = pf_backbone_alloc(ctx, &l.shape, &b);
    if (s) {
        pf_st_close(file);
        return s;
    }
    b->file = file;
    s = fill(&l, b);
    if (s) peft_backbone_free(b);
    else *out = b;
    return s;
}

peft_status peft_backbone_load(peft_context *ctx, const char *path, const peft_options *o, peft_backbone **out)
{
    pf_st *file;
    if (!ctx || !path || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !ctx ? "ctx" : !path ? "path" : "out");
    PF_TRY(pf_options_check(o, pf_backbone_load_options, NULL, "loading a backbone"));
    PF_TRY(pf_st_open(ctx, path, &file));
    peft_status s = load(ctx, file, o, out);
    return s ? pf_within(s, "%s", path) : PEFT_OK;
}

peft_status peft_backbone_load_memory(peft_context *ctx, const void *data, size_t size, const peft_options *o, peft_backbone **out)
{
    pf_st *file;
    if (!ctx || !data || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !ctx ? "ctx" : !data ? "data" : "out");
    PF_TRY(pf_options_check(o, pf_backbone_load_options, NULL, "loading a backbone"));
    PF_TRY(pf_st_open_memory(ctx, data, size, &file));
    return load(ctx, file, o, out);
}
