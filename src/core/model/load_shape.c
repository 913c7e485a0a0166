/* SPDX-License-Identifier: Apache-2.0
 * load_shape.c -- the shape of a file's ViT: what its tensors tell, and the rest from the caller's options, the file's
 * header, config.json and the habits of the family it comes from, in this order. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/model/load.h"

const pf_opt pf_backbone_load_options[] = {
    { "image_size", 'i', "0", 0, 65536, "side to work at; 0: the file's; else the position embedding is resampled" },
    { "resample", 's', "auto", 0, 0, "timm, hf, mmcls, torchvision or bilinear; auto: by the file's family" },
    { "naming", 's', "auto", 0, 0, "auto, timm, hf, hf5, hf-clip, clip, torchvision or mmcls" },
    { "config", 's', "auto", 0, 0, "path of a config.json; auto: the one beside the file, if there is one; none" },
    { "patch", 'i', "0", 0, 1024, "side of a patch; 0: from the weights" },
    { "heads", 'i', "0", 0, 65536, "attention heads; 0: from header or config.json, else width / 64 or as is usual" },
    { "eps", 'f', "0", 0, 1, "epsilon of LayerNorm; 0: from header or config.json, else by family" },
    { "act", 's', "auto", 0, 0, "gelu or quickgelu; auto: from header or config.json, else by family" },
    { "pool", 's', "auto", 0, 0, "cls or mean; auto: from header or config.json, else mean where there is fc_norm" },
    { 0 } };

#define IMAGENET "0.485:0.456:0.406", "0.229:0.224:0.225"
#define OPENAI   "0.48145466:0.4578275:0.40821073", "0.26862954:0.26130258:0.27577711"
#define UNKNOWN  NULL, NULL
/* The first row with the file's naming and a name like has: how such checkpoints are made and used. MAE has a decoder,
 * DINOv2 mask and register tokens, DINO two networks. */
typedef struct { pf_naming naming; const char *has, *rule; double eps; int act; const char *mean, *std; } family;
static const family families[] = {
    { PF_NAMING_TIMM, "*norm_pre.weight", "timm", 1e-5, PK_GELU, OPENAI },
    { PF_NAMING_TIMM, "*register_tokens", "timm", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_TIMM, "*decoder_embed.weight", "mmcls", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_TIMM, "*mask_token", "hf", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_TIMM, "*teacher.*", "hf", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_TIMM, "*student.*", "hf", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_TIMM, "*", "timm", 1e-6, PK_GELU, UNKNOWN },
    { PF_NAMING_HF, "*register_tokens", "timm", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_HF, "*lambda1", "hf", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_HF, "*", "hf", 1e-12, PK_GELU, UNKNOWN },
    { PF_NAMING_HF5, "*register_tokens", "timm", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_HF5, "*lambda1", "hf", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_HF5, "*", "hf", 1e-12, PK_GELU, UNKNOWN },
    { PF_NAMING_HF_CLIP, "*", "mmcls", 1e-5, PK_QUICKGELU, OPENAI },
    { PF_NAMING_CLIP, "*", "timm", 1e-5, PK_QUICKGELU, OPENAI },
    { PF_NAMING_TORCHVISION, "*", "torchvision", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_MMCLS, "*", "mmcls", 1e-6, PK_GELU, UNKNOWN } };

static const family *family_of(const pf_loader *l)
{
    const family *f = families;
    while (f->naming != l->naming || !pf_load_has(l, f->has)) f++;         /* every naming has a row for all */
    return f;
}

/* Header before config.json; NULL: neither says. */
static const char *told(const pf_loader *l, const char *name)
{
    const char *header = pf_st_meta(l->file, name);
    return header ? header : pf_config_get(&l->config, name);
}

static double fact(const pf_loader *l, const char *name, double fallback)
{
    double v = pf_options_float(l->o, pf_backbone_load_options, name);
    const char *text = told(l, name);
    if (v > 0) return v;
    return text && pf_parse_float(text, &v) ? v : fallback;
}

static const char *word(const pf_loader *l, const char *name, const char *fallback)
{
    const char *s = pf_options_string(l->o, pf_backbone_load_options, name), *text = told(l, name);
    return strcmp(s, "auto") ? s : text ? text : fallback;
}

static const pf_st_tensor *first(pf_loader *l, const char *name)
{
    const pf_st_tensor *part[3];
    return pf_load_find(l, name, false, part) ? part[0] : NULL;
}

static int64_t extent(pf_loader *l, const char *name, int axis)
{
    const pf_st_tensor *t = first(l, name);
    return t && axis < t->ndim ? t->dim[axis] : 0;
}

/* Values of a tensor as rows of the width: token tensors come with and without leading extents of 1. */
static int64_t rows(pf_loader *l, const char *name)
{
    const pf_st_tensor *t = first(l, name);
    return t && l->shape.width > 0 ? pf_dims_count(t->ndim, t->dim) / l->shape.width : 0;
}

/* A fact that counts something; -1, which no shape has, for what is not such a number. */
static int64_t count_fact(const pf_loader *l, const char *name, double fallback)
{
    double v = fact(l, name, fallback);
    return v >= 0 && v <= 0x1p31 && v == floor(v) ? (int64_t)v : -1;
}

static int64_t root(int64_t n) { return (int64_t)llround(sqrt((double)n)); }

/* A square grid behind no row, the class token's row, or one row for each token in front. */
static peft_status positions(pf_loader *l)
{
    const int64_t all = rows(l, "pos_embed"), fronts[] = { 0, 1, 1 + l->shape.registers };
    for (int i = 0; i < 3; i++) {
        l->native_prefix = fronts[i];
        l->native_grid = all > fronts[i] ? root(all - fronts[i]) : 0;
        if (l->native_grid && l->native_grid * l->native_grid == all - fronts[i]) return PEFT_OK;
    }
    return pf_fail(PEFT_E_FORMAT, "pos_embed has %lld rows: expected a square grid, with or without rows for the "
                   "tokens in front", (long long)all);
}

/* timm keeps no positions for tokens in front of the patches where there are registers; others do for the class. */
static void fold_or_not(pf_loader *l)
{
    const bool registers = l->shape.registers > 0;
    const bool theirs = l->naming != PF_NAMING_TIMM || pf_load_has(l, "*register_tokens");
    l->fold = registers && (l->native_prefix > 1 || (l->native_prefix == 1 && theirs));
    l->shape.pos_prefix = l->native_prefix > 0;
}

static void from_tensors(pf_loader *l)
{
    pf_vit_shape *s = &l->shape;
    char name[PF_NAME_MAX];
    for (s->depth = 0; s->depth <= PF_DEPTH_MAX; s->depth++) {
        snprintf(name, sizeof name, "blocks.%lld.norm1.weight", (long long)s->depth);
        if (!first(l, name)) break;
    }
    const int64_t fc1 = extent(l, "blocks.0.mlp.fc1.weight", 0), fc2 = extent(l, "blocks.0.mlp.fc2.weight", 1);
    s->swiglu = fc2 > 0 && fc1 / 2 == fc2 && fc1 % 2 == 0;
    s->mlp = s->swiglu ? fc2 : fc1;
    s->registers = rows(l, "reg_token");
    s->classes = extent(l, "head.weight", 0);
    s->layer_scale = first(l, "blocks.0.ls1.gamma") != NULL;
    s->qkv_bias = first(l, "blocks.0.attn.qkv.bias") != NULL;
    s->patch_bias = first(l, "patch_embed.proj.bias") != NULL;
    s->norm_pre = first(l, "norm_pre.weight") != NULL;
    s->mean_pool = first(l, "fc_norm.weight") != NULL;
}

/* Where they are not width / 64: ViT-H, g, bigG, and the wide and shallow ViT-S. */
static int64_t usual_heads(const pf_vit_shape *s)
{
    static const struct { int64_t width, depth, heads; } known[] = {
        { 1280, 32, 16 }, { 1408, 40, 16 }, { 1664, 48, 16 }, { 768, 8, 8 } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (s->width == known[i].width && s->depth == known[i].depth) return known[i].heads;
    return s->width % 64 ? 1 : s->width / 64;
}

static peft_status beyond_tensors(pf_loader *l, const family *f)
{
    pf_vit_shape *s = &l->shape;
    const char *bias = pf_config_get(&l->config, "qkv_bias"), *pool = word(l, "pool", s->mean_pool ? "mean" : "cls");
    if (strcmp(pool, "mean") && strcmp(pool, "cls"))
        return pf_fail(PEFT_E_OPTION, "pool: given '%s', expected cls or mean", pool);
    s->mean_pool = !strcmp(pool, "mean");
    if (bias) s->qkv_bias = !strcmp(bias, "true");
    if (!s->patch) s->patch = count_fact(l, "patch", 0);
    if (s->patch < 1) return pf_fail(PEFT_E_OPTION, "patch: not in the weights, expected as an option");
    s->heads = count_fact(l, "heads", (double)usual_heads(s));
    s->eps = fact(l, "eps", f->eps);
    s->act = pf_act_named(word(l, "act", f->act == PK_QUICKGELU ? "quickgelu" : "gelu"));
    s->image = pf_options_int(l->o, pf_backbone_load_options, "image_size");
    if (!s->image) s->image = l->native_grid * s->patch;
    l->rule = word(l, "resample", f->rule);
    l->mean = f->mean;
    l->std = f->std;
    return pf_shape_check(s);
}

/* A config.json that is about other weights is not to be followed. */
static peft_status agree(const pf_loader *l)
{
    const struct { const char *fact; int64_t weights; } facts[] = {
        { "width", l->shape.width }, { "depth", l->shape.depth }, { "patch", l->shape.patch } };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const char *text = pf_config_get(&l->config, facts[i].fact);
        int64_t v;
        if (text && facts[i].weights && pf_parse_int(text, &v) && v != facts[i].weights)
            return pf_fail(PEFT_E_FORMAT, "config.json gives %s %s, the weights %lld: expected those of one model, or "
                           "the option config=none", facts[i].fact, text, (long long)facts[i].weights);
    }
    return PEFT_OK;
}

peft_status pf_load_shape(pf_loader *l)
{
    const pf_st_tensor *cls = first(l, "cls_token"), *patch = first(l, "patch_embed.proj.weight");
    if (!cls || !cls->ndim || !patch)
        return pf_fail(PEFT_E_FORMAT, "missing tensors: cls_token and patch_embed.proj.weight are needed to know the "
                       "shape");
    l->shape.width = cls->dim[cls->ndim - 1];
    l->shape.patch = patch->ndim == 4 ? patch->dim[3] : 0;
    from_tensors(l);
    PF_TRY(agree(l));
    PF_TRY(positions(l));
    fold_or_not(l);
    return beyond_tensors(l, family_of(l));
}

void pf_load_notes(const pf_loader *l, peft_backbone *b)
{
    char side[24];
    snprintf(side, sizeof side, "%lld", (long long)(l->native_grid * b->shape.patch));
    const char *const family[PF_NOTES] = { l->mean, l->std, side, NULL, NULL };
    for (int i = 0; i < PF_NOTES; i++) {
        const char *header = pf_st_meta(b->file, pf_note_name[i]), *config = pf_config_get(&l->config, pf_note_name[i]);
        const char *text = header ? header : config ? config : family[i];
        if (text && strlen(text) < PF_NOTE_MAX) memcpy(b->note[i], text, strlen(text) + 1);
    }
}
