/* SPDX-License-Identifier: Apache-2.0
 * weights.h -- loads a pretrained backbone: a safetensors file, a file of PyTorch, a folder with one of these as
 * Hugging Face's libraries write it, or a .npz file of Google's ViT. */
#ifndef WEIGHTS_H
#define WEIGHTS_H
#include "common/backbone/image_sides.h"
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>

/* Ends the program with an error unless the file or folder exists. load_backbone checks this too; call it to find a
 * wrong path before other slow steps. */
void check_backbone(const char *path);
/* Does the folder hold a file with a usual name of weights? */
bool has_weights(const char *folder);
/* Path of the weights file: path itself, or the file in the folder path. To be freed. NULL: it is a .npz file, which
 * the library's functions for files of weights do not read. */
char *weights_file(const char *path);
/* Loads the backbone; an error ends the program, or is returned by try_load_backbone. sides: of the images, or
 * STORED_IMAGE_SIZE for those of the file; position embeddings are resampled for others.
 * options: options of peft_backbone_load, such as "heads=6,act=gelu", for values that the files lack; NULL: none. A
 * .npz file is first converted to a temporary safetensors file in TMPDIR (or /tmp). */
peft_backbone *load_backbone(peft_context *ctx, const char *path, image_sides sides, const char *options);
peft_status try_load_backbone(peft_context *ctx, const char *path, image_sides sides, const char *options,
                              peft_backbone **out);
/* Are the matrices of the blocks stored as int8, by the file or by the option weights=int8? */
bool is_int8_backbone(const peft_backbone *b);
/* The row of --backbone-options in a program's table of flags (flags/flags.h); its value is the argument options. */
#define BACKBONE_OPTIONS(X) \
    X(backbone_options, "LIST", NULL, "properties that the backbone's files lack, name=value,...: heads=N, eps=X, " \
      "act=NAME, pool=NAME, ... (inspect --options)")
#endif
