/* SPDX-License-Identifier: Apache-2.0
 * A block of code of docs/interop.md (it replaces the comment BLOCK) with what it names: `vit`, a small backbone with a
 * class token, and the folder my-lora, an adapter for it in the form of Hugging Face's PEFT. The block declares the
 * model `m`. */
#include <peft/peft.h>

int main(void)
{
    peft_context *ctx;
    peft_options *o;
    peft_backbone *vit;
    peft_adapter *a;
    if (peft_context_create(NULL, NULL, NULL, &ctx) || peft_options_create(ctx, &o)) return 1;
    if (peft_options_parse(o, "image_size=32,patch=8,width=32,depth=2,heads=2,mlp=128,classes=2")) return 1;
    if (peft_backbone_create(ctx, o, &vit) || peft_adapter_create(vit, "lora", NULL, &a)) return 1;
    if (peft_adapter_save_hf(a, "my-lora", NULL)) return 1;
    /* BLOCK */
    peft_model_free(m);
    peft_adapter_free(a);
    peft_backbone_free(vit);
    peft_options_free(o);
    peft_context_free(ctx);
    return *peft_last_error() != 0;
}
