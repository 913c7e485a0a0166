/* SPDX-License-Identifier: Apache-2.0
 * custom_method.c -- a method that the library does not have (gated_prompt.h): registers it, trains it on a small
 * random backbone (or a given one), saves it, loads it in a fresh context, and shows equal predictions. */
#include "common/program/errors.h"
#include "common/program/flags.h"
#include "common/program/settings.h"
#include "common/program/verbose.h"
#include "gated_prompt.h"
#include <stdio.h>
#include <string.h>

enum { BACKBONE, OUT, STEPS, BATCH = 4, CLASSES = 2 };
static flag flags[] = {
    [BACKBONE] = { "backbone", "FILE", NULL, "safetensors file of a ViT; none: a small random network", 0 },
    [OUT]      = { "out", "FILE", NULL, "where the model is saved (needed)", 0 },
    [STEPS]    = { "steps", "N", "30", "training steps", 0 } };
static const program about = {
    "--out FILE [--backbone FILE]",
    "Registers a method that the library does not have (examples/gated_prompt.h), trains it on made-up images, saves\n"
    "it, loads it in a fresh context and compares the predictions. docs/methods/own.md tells how to write a method.",
    "  custom_method --out own.safetensors" };

/* What a program that trains and a program that predicts both do first. */
static peft_backbone *open_backbone(peft_context **ctx)
{
    peft_backbone *vit;
    *ctx = make_context();
    must(peft_sys_register_method(*ctx, &gated_prompt, PEFT_METHOD_ABI));
    peft_options *small = options_from(*ctx, "image_size=32,patch=8,width=48,depth=3,heads=3,seed=1");
    must(flags[BACKBONE].value ? peft_backbone_load(*ctx, flags[BACKBONE].value, NULL, &vit)
                               : peft_backbone_create(*ctx, small, &vit));
    peft_options_free(small);
    return vit;
}

static void predict(peft_model *m, const peft_options *batch, peft_tensor *images, peft_tensor *logits)
{
    peft_session *s;
    must(peft_session_create(m, batch, &s));
    must(peft_session_predict(s, images, logits));
    peft_session_free(s);
}

int main(int argc, char **argv)
{
    program_name = "custom_method";
    if (read_flags(flags, 3, &about, argc, argv) != argc || !flags[OUT].value)
        fail("--out FILE is needed; --help lists all flags");
    peft_context *ctx, *fresh_ctx;
    peft_backbone *vit = open_backbone(&ctx), *fresh_vit = open_backbone(&fresh_ctx);
    peft_options *few = options_from(ctx, "tokens=4"), *two = options_from(ctx, "classes=2"),
                 *batch = options_from(ctx, "batch=4"), *training = options_from(ctx, "batch=4,lr=0.01");
    peft_adapter *adapter;
    peft_model *model, *loaded;
    peft_trainer *t;
    must(peft_adapter_create(vit, "gated_prompt", few, &adapter));
    must(peft_model_create(vit, two, &model));
    must(peft_model_attach(model, adapter));
    must(peft_trainer_create(model, training, &t));

    /* Class 1 has upright stripes, class 0 level ones; each picture begins elsewhere in them. */
    const int64_t side = peft_backbone_get(vit, "image_size");
    const int64_t image_dims[] = { BATCH, 3, side, side }, label_dims[] = { BATCH }, logit_dims[] = { BATCH, CLASSES };
    peft_tensor *images, *labels, *logits[2];
    must(peft_tensor_create(ctx, PEFT_F32, 4, image_dims, &images));
    must(peft_tensor_create(ctx, PEFT_I64, 1, label_dims, &labels));
    for (int i = 0; i < 2; i++) must(peft_tensor_create(ctx, PEFT_F32, 2, logit_dims, &logits[i]));
    for (int64_t i = 0; i < BATCH; i++) ((int64_t *)peft_tensor_data(labels))[i] = i % CLASSES;
    for (int64_t i = 0; i < peft_tensor_count(images); i++) {
        const int64_t sample = i / (3 * side * side), x = i % side, y = i / side % side;
        ((float *)peft_tensor_data(images))[i] = ((sample % CLASSES ? x : y) + sample) / 3 % 2 ? 1.0f : -1.0f;
    }
    for (int64_t step = 0; step < flag_count(&flags[STEPS]); step++) must(peft_trainer_step(t, images, labels, NULL));
    printf("%lld trained numbers, loss %.4f\n", (long long)peft_model_trainable_count(model),
           peft_trainer_get(t, "loss"));

    must(peft_model_save(model, flags[OUT].value));
    must(peft_model_load(fresh_vit, flags[OUT].value, &loaded));
    predict(model, batch, images, logits[0]);
    predict(loaded, batch, images, logits[1]);
    if (memcmp(peft_tensor_cdata(logits[0]), peft_tensor_cdata(logits[1]), sizeof(float) * BATCH * CLASSES))
        fail("the loaded model predicts otherwise");
    printf("%s loaded in a fresh context: the same predictions\n", flags[OUT].value);
    return 0;                            /* the end of the process frees everything */
}
