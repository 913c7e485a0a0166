/* SPDX-License-Identifier: Apache-2.0
 * load_family.c -- the habits of the families that checkpoints come from, for what neither tensors nor descriptions
 * tell. */
#include <string.h>
#include "core/model/load.h"

#define IMAGENET "0.485:0.456:0.406", "0.229:0.224:0.225"
#define OPENAI   "0.48145466:0.4578275:0.40821073", "0.26862954:0.26130258:0.27577711"
#define UNKNOWN  NULL, NULL
/* Recognised by naming and by a tensor's name: MAE has a decoder, DINOv2 mask and register tokens, DINO two networks. */
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

int64_t pf_usual_heads(const pf_vit_shape *s, const char **why)
{
    static const struct { int64_t width, depth, heads; const char *why; } known[] = {
        { 1280, 32, 16, "as in ViT-H" }, { 1408, 40, 16, "as in ViT-g" }, { 1664, 48, 16, "as in ViT-bigG" },
        { 768, 8, 8, "as in timm's vit_small of 8 blocks" } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (s->width == known[i].width && s->depth == known[i].depth) {
            *why = known[i].why;
            return known[i].heads;
        }
    *why = s->width % 64 ? "the width is no multiple of 64" : "width / 64";
    return s->width % 64 ? 1 : s->width / 64;
}
