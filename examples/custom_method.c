/* SPDX-License-Identifier: Apache-2.0
 * custom_method.c -- example of a method defined outside the library (gated_prompt.h): registers it, trains it on a
 * small random backbone (or a given one), saves the model, loads it in a second context, and checks that both predict
 * the same. */
#include "common/files/output.h"
#include "common/outputs/input_files.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include "common/program/settings.h"
#include "common/program/verbose.h"
#include "gated_prompt.h"
#include <stdio.h>
#include <string.h>

enum { BACKBONE, OUT, STEPS, FLAGS };                         /* indices of flags, and their number */
enum { BATCH = 4, CLASSES = 2 };
static flag flags[] = {
    [BACKBONE] = { "backbone", "FILE", NULL, "safetensors file of a ViT; without it a small random network",
                   FROM_DEFAULT },
    [OUT]      = { "out", "FILE", NULL, "required: file for the trained model", FROM_DEFAULT },
    [STEPS]    = { "steps", "N", "30", "number of training steps", FROM_DEFAULT } };
static const program about = {
    "--out FILE [--backbone FILE]",
    "Registers a method that the library does not have (examples/gated_prompt.h), trains it on synthetic images,\n"
    "saves the model, loads it in a second context and compares the predictions. docs/methods/own.md describes how to\n"
    "write a method.",
    "  custom_method --out own.safetensors" };

/* Creates a context, registers the method in it and opens the backbone. Programs that train and programs that predict
 * both begin so. */
static peft_backbone *open_backbone(peft_context **ctx)
{
    peft_backbone *vit;
    *ctx = make_context();
    must(peft_sys_register_method(*ctx, &gated_prompt, PEFT_METHOD_ABI));
    peft_options *small = options_from_text(*ctx, "image_size=32,patch=8,width=48,depth=3,heads=3,seed=1");
    must(flags[BACKBONE].value ? peft_backbone_load(*ctx, flags[BACKBONE].value, NULL, &vit)
                               : peft_backbone_create(*ctx, small, &vit));
    peft_options_free(small);
    return vit;
}

/* Writes the model's logits for the images to logits [BATCH, CLASSES]. */
static void predict(peft_model *m, const peft_options *options, peft_tensor *images, peft_tensor *logits)
{
    peft_session *s;
    must(peft_session_create(m, options, &s));
    must(peft_session_predict(s, images, logits));
    peft_session_free(s);
}

int main(int argc, char **argv)
{
    program_name = "custom_method";
    if (read_flags(flags, FLAGS, &about, argc, argv) != argc || !flags[OUT].value)
        fail("--out FILE is required, and no other words; --help lists all options");
    const bool replace = true;                                /* the model of an earlier run */
    check_output("out", flags[OUT].value, replace, &flags[BACKBONE].value, 1);
    check_not_input("out", flags[OUT].value, &(input_files){ .backbone = flags[BACKBONE].value });
    peft_context *ctx, *second_ctx;
    peft_backbone *vit = open_backbone(&ctx), *second_vit = open_backbone(&second_ctx);
    peft_options *method_options = options_from_text(ctx, "tokens=4"),
                 *model_options = options_from_text(ctx, "classes=2"),
                 *session_options = options_from_text(ctx, "batch=4"),
                 *trainer_options = options_from_text(ctx, "batch=4,lr=0.01");
    peft_adapter *adapter;
    peft_model *model, *loaded;
    peft_trainer *t;
    must(peft_adapter_create(vit, "gated_prompt", method_options, &adapter));
    must(peft_model_create(vit, model_options, &model));
    must(peft_model_attach(model, adapter));
    must(peft_trainer_create(model, trainer_options, &t));

    /* Synthetic images: class 1 has vertical stripes, class 0 horizontal ones, all 3 pixels wide and in turn 1 and -1.
     * In sample number k they are moved by k pixels. */
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
    for (int64_t step = 0; step < flag_integer(&flags[STEPS]); step++) must(peft_trainer_step(t, images, labels, NULL));
    printf("%lld trainable parameters, loss %.4f\n", (long long)peft_model_trainable_count(model),
           peft_trainer_get(t, "loss"));

    must(peft_model_save(model, flags[OUT].value));
    must(peft_model_load(second_vit, flags[OUT].value, &loaded));
    predict(model, session_options, images, logits[0]);
    predict(loaded, session_options, images, logits[1]);
    if (memcmp(peft_tensor_cdata(logits[0]), peft_tensor_cdata(logits[1]), sizeof(float) * BATCH * CLASSES))
        fail("%s: the loaded model's predictions differ from those of the trained model", flags[OUT].value);
    printf("%s loaded in a second context: the same predictions\n", flags[OUT].value);
    return 0;                            /* objects are not freed here: the process ends */
}
