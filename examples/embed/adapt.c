/* SPDX-License-Identifier: Apache-2.0
 * adapt.c -- adapts a backbone to a folder of pictures, data/<class>/<file>, by LoRA, and saves the model.
 *
 *   cc adapt.c $(pkg-config --cflags --libs peft-io) -o adapt
 *   ./adapt vit.safetensors data scans.safetensors */
#include <peft/io.h>
#include <peft/peft.h>
#include <stdio.h>

#define TRY(call) do { if (call) { fprintf(stderr, "%s\n", peft_last_error()); return 1; } } while (0)

int main(int argc, char **argv)
{
    peft_context *ctx;
    peft_backbone *vit;
    peft_dataset *images;
    peft_transform *prepare;
    peft_loader *batches;
    peft_adapter *lora;
    peft_options *options;
    peft_model *model;
    peft_trainer *trainer;
    char size[32], names[4096] = "";
    if (argc != 4) {
        fprintf(stderr, "usage: adapt BACKBONE DATA MODEL\n");
        return 2;
    }
    TRY(peft_context_create(NULL, NULL, NULL, &ctx));
    TRY(peft_backbone_load(ctx, argv[1], NULL, &vit));

    TRY(peft_dataset_open(ctx, argv[2], NULL, &images));
    snprintf(size, sizeof size, "size=%d", (int)peft_backbone_get(vit, "image_size"));
    TRY(peft_transform_parse_over(ctx, peft_backbone_note(vit, "preprocess"), size, &prepare));
    TRY(peft_loader_create(images, prepare, "batch=8,shuffle=true,train=true", &batches));

    TRY(peft_adapter_create(vit, "lora", NULL, &lora));
    TRY(peft_options_create(ctx, &options));
    TRY(peft_options_set_int(options, "classes", peft_dataset_classes(images)));
    TRY(peft_model_create(vit, options, &model));
    TRY(peft_model_attach(model, lora));
    for (int64_t c = 0, n = 0; c < peft_dataset_classes(images) && n < (int64_t)sizeof names; c++)
        n += snprintf(names + n, sizeof names - (size_t)n, "%s\n", peft_dataset_class_name(images, c));
    TRY(peft_model_set_note(model, "class_names", names));
    TRY(peft_model_set_note(model, "preprocess", peft_transform_text(prepare)));        /* for later predictions */
    peft_options_free(options);

    TRY(peft_options_create(ctx, &options));
    TRY(peft_options_parse(options, "batch=8,lr=0.002"));
    TRY(peft_trainer_create(model, options, &trainer));
    for (int epoch = 1; epoch <= 5; epoch++) {      /* fit trains until this many epochs are done in all */
        TRY(peft_trainer_fit(trainer, epoch, peft_loader_next, NULL, batches));
        printf("epoch %d, loss %.4f\n", epoch, peft_trainer_get(trainer, "loss"));
    }
    TRY(peft_model_save(model, argv[3]));
    printf("%s: %d parameters trained\n", argv[3], (int)peft_model_trainable_count(model));

    peft_trainer_free(trainer);
    peft_options_free(options);
    peft_model_free(model);
    peft_adapter_free(lora);
    peft_loader_free(batches);
    peft_transform_free(prepare);
    peft_dataset_free(images);
    peft_backbone_free(vit);
    peft_context_free(ctx);
    return 0;
}
