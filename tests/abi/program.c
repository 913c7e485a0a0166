/* SPDX-License-Identifier: Apache-2.0
 * program.c -- a program that check.sh compiles with the baseline's headers and runs with the libraries of the build:
 * it makes a model with an adapter, predicts twice, and reads the error of a wrong option. */
#include <peft/io.h>
#include <peft/peft.h>
#include <stdio.h>
#include <string.h>

#define TRY(call) do { if (call) { fprintf(stderr, "%s: %s\n", #call, peft_last_error()); return 1; } } while (0)

int main(void)
{
    static float pixels[3 * 32 * 32], logits[4], again[4];
    const int64_t image_dims[] = { 1, 3, 32, 32 }, logit_dims[] = { 1, 4 };
    peft_context *ctx;
    peft_options *o, *model_options;
    peft_backbone *vit;
    peft_adapter *lora;
    peft_model *m;
    peft_session *s;
    peft_tensor *images, *out;
    for (int i = 0; i < 3 * 32 * 32; i++) pixels[i] = (float)(i % 17) / 17;
    TRY(peft_context_create(NULL, NULL, NULL, &ctx));
    TRY(peft_options_create(ctx, &o));
    TRY(peft_options_create(ctx, &model_options));
    TRY(peft_options_parse(o, "image_size=32,patch=8,width=32,depth=1,heads=2,mlp=64,seed=1"));
    TRY(peft_options_set_int(model_options, "classes", 4));
    TRY(peft_backbone_create(ctx, o, &vit));
    TRY(peft_adapter_create(vit, "lora", NULL, &lora));
    TRY(peft_model_create(vit, model_options, &m));
    TRY(peft_model_attach(m, lora));
    TRY(peft_session_create(m, NULL, &s));
    TRY(peft_tensor_wrap(ctx, PEFT_F32, 4, image_dims, pixels, &images));
    TRY(peft_tensor_wrap(ctx, PEFT_F32, 2, logit_dims, logits, &out));
    TRY(peft_session_predict(s, images, out));
    memcpy(again, logits, sizeof logits);
    TRY(peft_session_predict(s, images, out));
    if (memcmp(again, logits, sizeof logits) || peft_backbone_get(vit, "width") != 32) return 1;
    if (peft_model_create(vit, o, &m) != PEFT_E_OPTION || !strstr(peft_last_error(), "image_size")) return 1;
    peft_tensor_free(images);
    peft_tensor_free(out);
    peft_session_free(s);
    peft_model_free(m);
    peft_adapter_free(lora);
    peft_backbone_free(vit);
    peft_options_free(model_options);
    peft_options_free(o);
    peft_context_free(ctx);
    peft_dataset_free(NULL);                        /* a function of libpeft-io, so that it is linked */
    return 0;
}
