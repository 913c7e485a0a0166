/* SPDX-License-Identifier: Apache-2.0
 * The blocks of code of docs/methods/own.md replace the comments BLOCK in order; main registers the method and makes an
 * adapter of it. */
#include <peft/peft.h>
#include <peft/sys/method.h>

/* BLOCK */
/* BLOCK */
/* BLOCK */
/* BLOCK */
static peft_status add_to(peft_context *ctx);

int main(void)
{
    peft_context *ctx;
    peft_options *o;
    peft_backbone *vit;
    peft_adapter *a;
    if (peft_context_create(NULL, NULL, NULL, &ctx) || peft_options_create(ctx, &o)) return 1;
    if (peft_options_parse(o, "image_size=32,patch=8,width=32,depth=2,heads=2,mlp=64")) return 1;
    if (peft_backbone_create(ctx, o, &vit) || add_to(ctx)) return 1;
    if (peft_adapter_create(vit, "gated_prompt", NULL, &a)) return 1;
    peft_adapter_free(a);
    peft_backbone_free(vit);
    peft_options_free(o);
    peft_context_free(ctx);
    return 0;
}

static peft_status add_to(peft_context *ctx)
{
    /* BLOCK */
    return PEFT_OK;
}
