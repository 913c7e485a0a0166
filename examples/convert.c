/* SPDX-License-Identifier: Apache-2.0
 * convert.c -- writes any backbone that the library reads (a file of PyTorch, shards, a .npz file of Google's ViT, ..)
 * as one safetensors file with timm's or Hugging Face's tensor names; with --model, a trained adapter as a folder in
 * the format of Hugging Face's PEFT (convert/peft_folder.c). */
#include "common/backbone/weights.h"
#include "common/outputs/backbone_output.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include "common/program/verbose.h"
#include "convert/peft_folder.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "required: a file of PyTorch (.pth, .pt, .bin), a safetensors file, the index of a " \
      "model in several files, a folder with one of these, or a .npz file of Google's ViT") \
    X(model, "PATH", NULL, "write the adapter of this model, trained on the backbone, as a folder in Hugging Face's " \
      "PEFT format (a file that finetune wrote, an adapter file, or such a folder)") \
    BACKBONE_OPTIONS(X) \
    OUTPUT_CONTENT_FLAGS(X) \
    X(dtype, "TYPE", "auto", "number format of the tensors: f32, f16, bf16, or int8 for the matrices of the blocks; " \
      "auto: f16 or bf16 if all tensors in the file are such numbers, int8 if the matrices are, else f32") \
    X(folder_options, "LIST", NULL, "with --model: name=value,.. of the folder, such as prefix= (inspect --options " \
      "lists them); --naming takes the names listed there too, and without it the library chooses") \
    OUTPUT_PATH_FLAGS(X)
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH [--model PATH] --out PATH [options]",
    "Writes a backbone as one safetensors file, which every program here, timm or transformers can load. Nothing in\n"
    "the file that is read is executed. Tensors that the network does not use, such as an optimiser's, are left out.\n"
    "With --model it writes a folder that the peft library of Python loads (docs/interop.md).",
    "  convert --backbone checkpoint.pth --out vit.safetensors\n"
    "  convert --backbone checkpoint.pth --backbone-options prefix=model_ema --out vit.safetensors\n"
    "  convert --backbone folder-with-shards --naming hf5 --out vit\n"
    "  convert --backbone vit.safetensors --dtype int8 --out vit-int8.safetensors\n"
    "  convert --backbone vit.safetensors --model lora.safetensors --naming hf5 --out lora-for-peft" };

/* The value of --dtype for b, whose file is at path: "int8" if its matrices are stored so, "f16" or "bf16" if all
 * floating-point tensors of the file have that type, else "f32". */
static const char *type_of(const peft_backbone *b, const char *path)
{
    if (is_int8_backbone(b)) return "int8";
    char *file = weights_file(path);
    const char *type = NULL;
    bool same = true;
    peft_file *f;
    if (!file) return "f32";                                  /* a .npz file */
    must(peft_file_open(peft_backbone_context(b), file, &f));
    for (size_t i = 0; i < peft_file_tensor_count(f); i++) {
        const char *t = peft_file_tensor_type(f, i);
        if (!strchr(t, 'F')) continue;                        /* integers; floats are F32, BF16, F8_E4M3, .. */
        if (type) same &= !strcmp(t, type);
        else type = t;
    }
    const char *dtype = type && same && !strcmp(type, "F16") ? "f16" : type && same && !strcmp(type, "BF16") ? "bf16"
                      : "f32";
    peft_file_free(f);
    free(file);
    return dtype;
}

/* The value of a flag if the user gave it; else NULL. */
static const char *if_given(int f) { return given[f].source == FROM_DEFAULT ? NULL : given[f].value; }

/* With --model. */
static void convert_model(void)
{
    if (if_given(dtype)) fail("--dtype: tensors of a PEFT folder are f32; leave it out with --model");
    const char *with_head = given[classifier].value;
    if (strcmp(with_head, "true") && strcmp(with_head, "false"))
        fail("--classifier %s: expected true or false", with_head);
    const peft_folder folder = {
        .backbone = given[backbone].value, .backbone_options = given[backbone_options].value,
        .model = given[model].value, .naming = if_given(naming), .options = given[folder_options].value,
        .out = given[out].value, .classifier = !strcmp(with_head, "true"), .force = given[force].value };
    write_peft_folder(&folder);
}

int main(int argc, char **argv)
{
    program_name = "convert";
    int first = read_flags(given, flags, &about, argc, argv);
    if (first < argc) fail("'%s' is not an option; expected --name value, see --help", argv[first]);
    if (!given[backbone].value || !given[out].value) fail("--backbone and --out are required; see --help");
    if (!given[model].value && given[folder_options].value)
        fail("--folder-options: is for a folder of PEFT; give --model PATH too");
    watch_signals();
    if (given[model].value) {
        convert_model();
        return 0;
    }
    const input_files in = { given[backbone].value, given[backbone_options].value, NULL };
    check_backbone_output(given[out].value, given[naming].value, given[force].value, &in);
    peft_context *ctx = make_context();
    peft_backbone *b = load_backbone(ctx, given[backbone].value, STORED_IMAGE_SIZE, given[backbone_options].value);
    const bool by_file = !strcmp(given[dtype].value, "auto");
    const char *type = by_file ? type_of(b, given[backbone].value) : given[dtype].value;
    peft_options *o = empty_options(ctx);
    must(peft_options_set_string(o, "naming", given[naming].value));
    must(peft_options_set_string(o, "classifier", given[classifier].value));
    must(peft_options_set_string(o, "dtype", type));
    must(peft_backbone_save_as(b, given[out].value, o));
    printf("%s: %lld parameters, %s\n", given[out].value, (long long)peft_backbone_get(b, "parameters"), type);
    peft_options_free(o);
    peft_backbone_free(b);
    peft_context_free(ctx);
    return 0;
}
