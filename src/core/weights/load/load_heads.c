/* SPDX-License-Identifier: Apache-2.0
 * load_heads.c -- the number of attention heads that networks of a width and depth usually have. */
#include "core/weights/load/load.h"

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
