/* SPDX-License-Identifier: Apache-2.0
 * merge.c -- folds a trained model or adapter into its backbone, says how far rounding makes the two differ, and writes
 * the new backbone under timm's or Hugging Face's names, in f32 or half of it. Without a model the backbone alone. */
#include "common.h"
#include <stdio.h>
#include <string.h>

#define FLAGS(X) \
    X(backbone, "FILE", NULL, "the pretrained Vision Transformer the model was trained on; needed") \
    X(model, "FILE", NULL, "a model that finetune wrote, or an adapter file; none: the backbone alone") \
    X(naming, "NAME", "timm", "of the tensors: timm, hf (transformers before version 5) or hf5") \
    X(classifier, "YESNO", "true", "false leaves it out") \
    X(dtype, "TYPE", "f32", "of the tensors: f32, f16 or bf16") \
    X(out, "PATH", NULL, "a .safetensors file; with hf and hf5 else a folder with config.json; needed")
#define AS_ID(name, argument, value, help) name,
#define AS_ROW(name, argument, value, help) { #name, argument, value, help },
enum { FLAGS(AS_ID) flags };
static flag given[] = { FLAGS(AS_ROW) };

/* The backbone for the image size that the model was trained with, if its file tells. */
static peft_backbone *load_backbone(peft_context *ctx, const peft_file *f)
{
    const char *preprocess = peft_file_meta(f, "preprocess");
    peft_options *o = options_from(ctx, NULL);
    peft_backbone *b;
    if (preprocess) {
        peft_transform *t;
        must(peft_transform_parse(preprocess, &t));
        must(peft_options_set_int(o, "image_size", peft_transform_size(t)));
        peft_transform_free(t);
    }
    must(peft_backbone_load(ctx, given[backbone].value, o, &b));
    peft_options_free(o);
    return b;
}

/* An adapter alone is merged below the backbone's own classifier. */
static peft_model *load_model(peft_backbone *b, const peft_file *f)
{
    peft_model *m;
    peft_adapter *a;
    if (strcmp(peft_file_kind(f), "adapter")) {
        must(peft_model_load(b, given[model].value, &m));
        return m;
    }
    must(peft_adapter_load(b, given[model].value, &a));
    must(peft_model_create(b, NULL, &m));
    must(peft_model_attach(m, a));
    peft_adapter_free(a);
    return m;
}

static void save(peft_context *ctx, const peft_backbone *b, const char *names)
{
    peft_options *o = options_from(ctx, NULL);
    must(peft_options_set_string(o, "naming", given[naming].value));
    must(peft_options_set_string(o, "classifier", given[classifier].value));
    must(peft_options_set_string(o, "dtype", given[dtype].value));
    if (names) must(peft_options_set_string(o, "class_names", names));
    must(peft_backbone_save_as(b, given[out].value, o));
    printf("%s: %lld parameters\n", given[out].value, (long long)peft_backbone_get(b, "parameters"));
    peft_options_free(o);
}

static void merge(peft_context *ctx)
{
    peft_file *f;
    peft_backbone *merged;
    double absolute, relative;
    must(peft_file_open(ctx, given[model].value, &f));
    peft_backbone *b = load_backbone(ctx, f);
    peft_model *m = load_model(b, f);
    must(peft_model_merge(m, &merged));
    must(peft_model_merge_drift(m, merged, NULL, &absolute, &relative));
    printf("largest difference of logits on images of noise: %.3g, %.3g of the largest logit\n", absolute, relative);
    save(ctx, merged, peft_model_note(m, "class_names"));
    peft_model_free(m);
    peft_backbone_free(merged);
    peft_backbone_free(b);
    peft_file_free(f);
}

static void rewrite(peft_context *ctx)
{
    peft_backbone *b;
    must(peft_backbone_load(ctx, given[backbone].value, NULL, &b));
    save(ctx, b, NULL);
    peft_backbone_free(b);
}

int main(int argc, char **argv)
{
    program_name = "merge";
    int first = read_flags(given, flags, "--backbone FILE --out PATH [options]", argc, argv);
    if (!given[backbone].value || !given[out].value || first < argc)
        fail("--backbone and --out are needed, and nothing else; see --help");
    peft_context *ctx;
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    if (given[model].value) merge(ctx);
    else rewrite(ctx);
    peft_context_free(ctx);
    return 0;
}
