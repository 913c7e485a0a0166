/* SPDX-License-Identifier: Apache-2.0
 * preprocess.h -- the transform from images to network input: the settings of the backbone's files, of which the
 * command line may replace single ones. */
#ifndef PREPROCESS_H
#define PREPROCESS_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdint.h>

/* Settings that turn off every augmentation of a transform. */
extern const char no_augmentation[];

/* The side asked for by a flag (0: none) or by the word size of --preprocess (NULL: none); 0: by neither. Both, and not
 * equal, are refused. */
int64_t asked_size(int64_t side, const char *words);
/* The transform of the backbone at its image size, for training, under ctx: words replaces words of it one by one; flip
 * is 0.5 unless words gives it. described: where it comes from, in words. */
peft_transform *training_transform(peft_context *ctx, const peft_backbone *b, const char *words,
                                   const char **described);
/* The same for inference with a model that no file describes: without flips, and with a warning where neither the
 * backbone's files nor words say anything. */
peft_transform *plain_transform(peft_context *ctx, const peft_backbone *b, const char *words);
#endif
