/* SPDX-License-Identifier: Apache-2.0
 * weights.h -- opens a backbone: a safetensors file, a folder with model.safetensors and config.json as Hugging Face's
 * libraries write it, or Google's .npz. */
#ifndef WEIGHTS_H
#define WEIGHTS_H
#include <peft/peft.h>
#include <stdint.h>

/* Fails unless there is such a file or folder; done by load_backbone too, this is for programs that have much to do
 * before. */
void check_backbone(const char *path);
/* The safetensors file that path stands for; NULL: it is an .npz. To be freed. */
char *weights_file(const char *path);
/* image_size 0: the file's. facts: options of peft_backbone_load that no file tells, "heads=6,act=gelu"; NULL: none.
 * An .npz is first rewritten as a safetensors file in TMPDIR (or /tmp), which is gone when
 * the function returns. */
peft_backbone *load_backbone(peft_context *ctx, const char *path, int64_t image_size, const char *facts);
peft_status try_load_backbone(peft_context *ctx, const char *path, int64_t image_size, const char *facts,
                              peft_backbone **out);
/* The flag by which programs take facts. */
#define BACKBONE_OPTIONS(X) \
    X(backbone_options, "LIST", NULL, "what the backbone's files do not tell: heads=N,eps=X,act=NAME,pool=NAME, ...")
#endif
