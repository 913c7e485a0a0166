/* SPDX-License-Identifier: Apache-2.0
 * A block of code of docs/backbones.md (it replaces the comment BLOCK) with what it names: `merged`, a small backbone
 * with a class token, and options `o`. */
#include <peft/peft.h>

int main(void)
{
    peft_context *ctx;
    peft_options *o;
    peft_backbone *merged;
    if (peft_context_create(NULL, NULL, NULL, &ctx) || peft_options_create(ctx, &o)) return 1;
    if (peft_options_parse(o, "image_size=32,patch=8,width=32,depth=2,heads=2,mlp=128")) return 1;
    if (peft_backbone_create(ctx, o, &merged)) return 1;
    peft_options_free(o);
    if (peft_options_create(ctx, &o)) return 1;
    if (*peft_last_error()) return 1;
    /* BLOCK */
    peft_options_free(o);
    peft_backbone_free(merged);
    peft_context_free(ctx);
    return *peft_last_error() != 0;
}
