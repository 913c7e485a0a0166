/* SPDX-License-Identifier: Apache-2.0
 * load_family.c -- what the name of an architecture or of a type of model tells, and the habits of the families that
 * checkpoints come from, for what neither tensors nor descriptions tell. */
#include <string.h>
#include "core/options/glob.h"
#include "core/weights/load/load.h"

#define IMAGENET "0.485:0.456:0.406", "0.229:0.224:0.225"
#define OPENAI   "0.48145466:0.4578275:0.40821073", "0.26862954:0.26130258:0.27577711"
#define UNKNOWN  NULL, NULL
/* Recognised by naming and by a tensor's name: MAE has a decoder, DINOv2 mask and register tokens, DINO two
 * networks. */
static const pf_family families[] = {
    { PF_NAMING_TIMM, "*norm_pre.weight", "timm", 1e-5, PK_GELU, OPENAI },
    { PF_NAMING_TIMM, "*register_tokens", "timm", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_TIMM, "*decoder_embed.weight", "mmcls", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_TIMM, "*mask_token", "hf", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_TIMM, "*teacher.*", "hf", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_TIMM, "*student.*", "hf", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_TIMM, "*", "timm", 1e-6, PK_GELU, UNKNOWN },
    { PF_NAMING_HF, "*register_tokens", "timm", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_HF, "*lambda1", "mmcls", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_HF, "*", "mmcls", 1e-12, PK_GELU, UNKNOWN },
    { PF_NAMING_HF5, "*register_tokens", "timm", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_HF5, "*lambda1", "mmcls", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_HF5, "*", "mmcls", 1e-12, PK_GELU, UNKNOWN },
    { PF_NAMING_HF_CLIP, "*", "mmcls", 1e-5, PK_QUICKGELU, OPENAI },
    { PF_NAMING_CLIP, "*", "timm", 1e-5, PK_QUICKGELU, OPENAI },
    { PF_NAMING_TORCHVISION, "*", "torchvision", 1e-6, PK_GELU, IMAGENET },
    { PF_NAMING_MMCLS, "*", "mmcls", 1e-6, PK_GELU, UNKNOWN } };

const pf_family *pf_family_of(const pf_loader *l)
{
    const pf_family *f = families;
    while (f->naming != l->naming || !pf_load_has(l, f->has)) f++;         /* every naming has a row for all */
    return f;
}

/* Architectures of timm; every row that fits adds to what is known. Their heads are width / 64 and their eps is 1e-6
 * where no row says otherwise. */
static const struct { const char *glob; int64_t heads; double eps; const char *rule, *refused; } archs[] = {
    { "vit_*", 0, 0, "timm", NULL }, { "deit*", 0, 0, "timm", NULL }, { "eva_*", 0, 0, "timm", NULL },
    { "test_vit", 2, 0, "timm", NULL }, { "flexivit_*", 0, 0, "bilinear", NULL }, { "vit_so400m_*", 16, 0, NULL, NULL },
    { "vit_*_clip_*", 0, 1e-5, NULL, NULL }, { "vit_*_rope_*", 0, 0, NULL, "rotary positions" },
    { "vit_pe_*", 0, 0, NULL, "rotary positions" }, { "eva02_*", 0, 0, NULL, "rotary positions" },
    { "*_dinov3*", 0, 0, NULL, "rotary positions" }, { "*_rpn_*", 0, 0, NULL, "norms behind attention and MLP" } };
/* Types of Hugging Face's. A configuration of CLIP's may leave out what has the default of its class. */
static const struct { const char *glob; int64_t heads; double eps; const char *rule; } types[] = {
    { "vit", 0, 0, "mmcls" }, { "vit_mae", 0, 0, "mmcls" }, { "vit_msn", 0, 0, "mmcls" }, { "dinov2", 0, 0, "mmcls" },
    { "dinov2_with_registers", 0, 0, "timm" }, { "dpt", 0, 0, "bilinear" }, { "clip*", 12, 1e-5, "mmcls" },
    { "metaclip_2*", 12, 1e-5, "mmcls" }, { "chinese_clip*", 12, 1e-5, "mmcls" }, { "altclip*", 12, 1e-5, "mmcls" } };
#define COUNT(a) (sizeof(a) / sizeof *(a))

pf_arch pf_arch_of(const pf_config *c)
{
    const char *arch = pf_config_get(c, "architecture"), *type = pf_config_get(c, "model_type");
    pf_arch a = { .name = arch ? arch : type, .timm = arch != NULL };
    for (size_t i = 0; arch && i < COUNT(archs); i++) {
        if (!pf_glob(archs[i].glob, arch)) continue;
        if (archs[i].rule) a.rule = archs[i].rule;
        if (archs[i].heads) a.heads = archs[i].heads;
        if (archs[i].eps > 0) a.eps = archs[i].eps;
        if (archs[i].refused) a.refused = archs[i].refused;
    }
    for (size_t i = 0; !arch && type && i < COUNT(types); i++)
        if (pf_glob(types[i].glob, type)) {
            a.rule = types[i].rule;
            a.heads = types[i].heads;
            a.eps = types[i].eps;
        }
    a.known = a.rule != NULL;
    if (arch && a.known && !(a.eps > 0)) a.eps = 1e-6;
    return a;
}

int64_t pf_usual_heads(const pf_vit_shape *s, const char **why)
{
    static const struct { int64_t width, depth, heads; const char *why; } known[] = {
        { 1280, 32, 16, "as in ViT-H" }, { 1408, 40, 16, "as in ViT-g" }, { 1664, 48, 16, "as in ViT-bigG" },
        { 768, 8, 8, "as in timm's vit_small of 8 blocks" }, { 1152, 27, 16, "as in so400m" } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (s->width == known[i].width && s->depth == known[i].depth) {
            *why = known[i].why;
            return known[i].heads;
        }
    *why = s->width % 64 ? "the width is no multiple of 64" : "width / 64";
    return s->width % 64 ? 1 : s->width / 64;
}
