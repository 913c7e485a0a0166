/* SPDX-License-Identifier: Apache-2.0
 * load_shape.c -- the shape of a file's ViT as far as its tensors tell it. */
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

peft_status pf_load_shape(pf_loader *l)
{
    const pf_st_tensor *cls = first(l, "cls_token"), *patch = first(l, "patch_embed.proj.weight");
    if (!cls || !cls->ndim || !patch)
        return pf_fail(PEFT_E_FORMAT, "missing tensors: cls_token and patch_embed.proj.weight are needed to know the "
                       "shape");
    l->shape.width = cls->dim[cls->ndim - 1];
    l->shape.patch = patch->ndim == 4 ? patch->dim[3] : 0;
    from_tensors(l);
    PF_TRY(pf_load_agree(l));
    PF_TRY(positions(l));
    fold_or_not(l);
    return pf_load_facts(l);
}
