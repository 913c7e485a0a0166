/* SPDX-License-Identifier: Apache-2.0
 * merge.c -- merges the adapter of a trained model into its backbone's weights and writes the result with timm's or
 * Hugging Face's tensor names, in f32, f16, bf16 or int8. Then it reads the file back and prints how much its logits
 * differ from the model's, or the features of a model without a classifier. Without a model it converts the backbone
 * alone. */
#include "common/model/loaded_model.h"
#include "common/backbone/weights.h"
#include "common/outputs/backbone_output.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include "common/program/verbose.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "required: the pretrained Vision Transformer that the model was trained on: a " \
      "safetensors file, a file of PyTorch, a folder with one of these, or a .npz file of Google's ViT") \
    X(model, "PATH", NULL, "a model that finetune wrote, an adapter file, or a folder in Hugging Face's PEFT format; " \
      "without it the backbone alone is converted") \
    BACKBONE_OPTIONS(X) \
    OUTPUT_CONTENT_FLAGS(X) \
    X(dtype, "TYPE", "f32", "number format of the tensors: f32, f16, bf16, or int8 for the matrices of the blocks") \
    OUTPUT_PATH_FLAGS(X)
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH [--model PATH] --out PATH [options]",
    "Merges a trained model into its backbone: makes one file that every program here takes as --backbone and that\n"
    "timm or transformers can load, with class names and preprocessing. Only methods that change nothing but weights\n"
    "(lora, full, bitfit, ...) can be merged; methods with prompts (ept, vpt, ...) cannot.",
    "  merge --backbone vit.safetensors --model lora.safetensors --out merged.safetensors\n"
    "  merge --backbone vit.safetensors --model lora.safetensors --naming hf5 --out merged\n"
    "  predict --backbone merged.safetensors new/*.png" };

/* Saves backbone b with the class names of s, in the format of the flags. with_classifier: "true" or "false". */
static void save(const loaded_model *s, const peft_backbone *b, const char *path, const char *with_classifier)
{
    peft_options *o = empty_options(s->ctx);
    must(peft_options_set_string(o, "naming", given[naming].value));
    must(peft_options_set_string(o, "classifier", with_classifier));
    must(peft_options_set_string(o, "dtype", given[dtype].value));
    if (s->class_names) must(peft_options_set_string(o, "class_names", s->class_names));
    /* link: sigmoid or softmax, by which logits become probabilities */
    if (s->link) must(peft_options_set_string(o, "link", s->link));
    must(peft_backbone_save_as(b, path, o));
    peft_options_free(o);
}

/* Loads the written file and prints how much its logits differ from those of the model it was made from; features, if
 * the model has no classifier. */
static void print_difference(loaded_model *s, const char *path)
{
    double absolute, relative;
    const peft_tensor *noise_images = NULL;                   /* the library makes them */
    peft_backbone *written = load_backbone(s->ctx, path, backbone_sides(s->vit), NULL);
    must(peft_model_merge_drift(s->model, written, noise_images, &absolute, &relative));
    printf("largest difference of %s between the file and the model, on noise images: %.3g, %.3g of the largest\n",
           s->classes ? "logits" : "features", absolute, relative);
    peft_backbone_free(written);
}

/* The same for a file without the model's classifier, which has no logits: writes a temporary file with the classifier
 * and compares this one. */
static void print_difference_without_head(loaded_model *s, const peft_backbone *merged)
{
    char *path;
    if (asprintf(&path, "%s.trial.safetensors", given[out].value) < 0) fail("out of memory");
    save(s, merged, path, "true");
    print_difference(s, path);
    remove(path);
    free(path);
}

/* Merges, writes --out, and compares the logits of the file with those of the model. */
static void merge(loaded_model *s)
{
    peft_backbone *merged;
    must(peft_model_merge(s->model, &merged));
    save(s, merged, given[out].value, given[classifier].value);
    peft_backbone *written = load_backbone(s->ctx, given[out].value, STORED_IMAGE_SIZE, NULL);
    const bool headless = peft_backbone_get(written, "classes") < 1;
    peft_backbone_free(written);
    printf("%s: %lld parameters\n", given[out].value, (long long)peft_backbone_get(merged, "parameters"));
    if (headless && s->classes) print_difference_without_head(s, merged);
    else print_difference(s, given[out].value);
    peft_backbone_free(merged);
}

/* Without --model: writes the backbone itself in the format of the flags. */
static void convert_backbone(void)
{
    loaded_model s = { .ctx = make_context() };
    s.vit = load_backbone(s.ctx, given[backbone].value, STORED_IMAGE_SIZE, given[backbone_options].value);
    save(&s, s.vit, given[out].value, given[classifier].value);
    printf("%s: %lld parameters\n", given[out].value, (long long)peft_backbone_get(s.vit, "parameters"));
    peft_backbone_free(s.vit);
    peft_context_free(s.ctx);
}

int main(int argc, char **argv)
{
    program_name = "merge";
    int first = read_flags(given, flags, &about, argc, argv);
    if (first < argc) fail("'%s' is not an option; expected --name value, see --help", argv[first]);
    if (!given[backbone].value || !given[out].value) fail("--backbone and --out are required; see --help");
    watch_signals();
    const input_files in = { given[backbone].value, given[backbone_options].value, given[model].value };
    check_backbone_output(given[out].value, given[naming].value, given[force].value, &in);
    if (!given[model].value) {
        convert_backbone();
        return 0;
    }
    loaded_model s = open_model(given[backbone].value, given[backbone_options].value, given[model].value, ALL_CORES);
    if (s.how.stored || s.sets.coverage > 0)
        warn("--model %s: its thresholds and prediction sets are not kept; give predict --threshold",
             given[model].value);
    if (s.image_options)
        warn("--model %s: was trained with the image options %s, which the merged file does not keep; give them to "
             "predict: --image-options '%s'", given[model].value, s.image_options, s.image_options);
    merge(&s);
    close_model(&s);
    return 0;
}
