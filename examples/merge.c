/* SPDX-License-Identifier: Apache-2.0
 * merge.c -- folds a trained model or adapter into its backbone and writes the new backbone under timm's or Hugging
 * Face's names, in f32 or half of it; then reads the file back and says how far what was written differs from the
 * model. Without a model the backbone alone. */
#include "common/files/output.h"
#include "common/model/source.h"
#include "common/model/weights.h"
#include "common/program/errors.h"
#include "common/program/flags.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include "common/program/verbose.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "the pretrained Vision Transformer the model was trained on: safetensors, a folder " \
      "with one, Google's .npz; needed") \
    X(model, "PATH", NULL, "a model that finetune wrote, an adapter file, or a folder of Hugging Face's PEFT; none: " \
      "the backbone alone") \
    BACKBONE_OPTIONS(X) \
    X(naming, "NAME", "timm", "of the tensors: timm, hf (transformers before version 5) or hf5") \
    X(classifier, "YESNO", "true", "false leaves it out") \
    X(dtype, "TYPE", "f32", "of the tensors: f32, f16 or bf16") \
    X(out, "PATH", NULL, "a .safetensors file; with hf and hf5 else a folder with config.json; needed") \
    X(force, NULL, NULL, "write over --out where it exists")
enum { FLAGS(FLAG_ID) flags };
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH [--model PATH] --out PATH [options]",
    "Folds a trained model into its backbone: one file that every program takes as --backbone, and others can read.\n"
    "Class names and preprocessing go along. Methods that change more than weights (ept, vpt, ...) have no such form.",
    "  merge --backbone vit.safetensors --model lora.safetensors --out merged.safetensors\n"
    "  merge --backbone vit.safetensors --model lora.safetensors --naming hf5 --out merged\n"
    "  predict --backbone merged.safetensors new/*.png" };

static bool ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static void save(const source *s, const peft_backbone *b, const char *path, const char *with_classifier)
{
    peft_options *o = options_from(s->ctx, NULL);
    must(peft_options_set_string(o, "naming", given[naming].value));
    must(peft_options_set_string(o, "classifier", with_classifier));
    must(peft_options_set_string(o, "dtype", given[dtype].value));
    if (s->class_names) must(peft_options_set_string(o, "class_names", s->class_names));
    if (s->link) must(peft_options_set_string(o, "link", s->link));
    must(peft_backbone_save_as(b, path, o));
    peft_options_free(o);
}

/* What is in the file, beside the model it was made from. */
static void print_drift(source *s, const char *path)
{
    double absolute, relative;
    peft_backbone *read = load_backbone(s->ctx, path, peft_backbone_get(s->vit, "image_size"), NULL);
    must(peft_model_merge_drift(s->model, read, NULL, &absolute, &relative));
    printf("largest difference of logits on images of noise, read back from the file: %.3g, %.3g of the largest\n",
           absolute, relative);
    peft_backbone_free(read);
}

/* Without its classifier a file has no logits to compare: a second one with it is written for that, and removed. */
static void print_drift_without_head(source *s, const peft_backbone *merged)
{
    char *path;
    if (asprintf(&path, "%s.trial-%ld.safetensors", given[out].value, (long)getpid()) < 0) fail("out of memory");
    save(s, merged, path, "true");
    print_drift(s, path);
    remove(path);
    free(path);
}

static void merge(source *s)
{
    peft_backbone *merged;
    must(peft_model_merge(s->model, &merged));
    save(s, merged, given[out].value, given[classifier].value);
    peft_backbone *read = load_backbone(s->ctx, given[out].value, 0, NULL);
    const bool headless = peft_backbone_get(read, "classes") < 1;
    peft_backbone_free(read);
    printf("%s: %lld parameters\n", given[out].value, (long long)peft_backbone_get(merged, "parameters"));
    if (headless) print_drift_without_head(s, merged);
    else print_drift(s, given[out].value);
    peft_backbone_free(merged);
}

static void rewrite(void)
{
    source s = { .ctx = make_context() };
    s.vit = load_backbone(s.ctx, given[backbone].value, 0, given[backbone_options].value);
    save(&s, s.vit, given[out].value, given[classifier].value);
    printf("%s: %lld parameters\n", given[out].value, (long long)peft_backbone_get(s.vit, "parameters"));
    peft_backbone_free(s.vit);
    peft_context_free(s.ctx);
}

/* A folder is written where the naming is Hugging Face's and the path does not end in .safetensors; then its two files
 * are what must not be there. */
static void check_out(void)
{
    struct stat st;
    const char *const inputs[] = { given[backbone].value, given[model].value };
    const bool folder = strcmp(given[naming].value, "timm") && !ends_in(given[out].value, ".safetensors");
    char *file;
    if (!folder || stat(given[out].value, &st) || !S_ISDIR(st.st_mode)) {
        check_output("out", given[out].value, given[force].value, inputs, 2);
        return;
    }
    if (asprintf(&file, "%s/model.safetensors", given[out].value) < 0) fail("out of memory");
    char *own = weights_file(given[backbone].value);
    check_output("out", file, given[force].value, (const char *const[]){ own, given[model].value }, 2);
    free(own);
    free(file);
}

int main(int argc, char **argv)
{
    program_name = "merge";
    int first = read_flags(given, flags, &about, argc, argv);
    if (first < argc) fail("'%s' is no option; see --help", argv[first]);
    if (!given[backbone].value || !given[out].value) fail("--backbone and --out are needed; see --help");
    watch_signals();
    check_out();
    if (!given[model].value) {
        rewrite();
        return 0;
    }
    source s = open_source(given[backbone].value, given[backbone_options].value, given[model].value, 0);
    merge(&s);
    close_source(&s);
    return 0;
}
