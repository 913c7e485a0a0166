/* SPDX-License-Identifier: Apache-2.0
 * balance.h -- class balance of a training: --balance of a recipe (recipe.h), and weights of the loss that are computed
 * from the numbers of training images, or of the pixels of their masks. */
#ifndef BALANCE_H
#define BALANCE_H
#include "common/flags/flags.h"
#include "common/program/settings.h"
#include "common/segment/mask_sets.h"
#include <peft/io.h>
#include <stdbool.h>

/* Does --balance ask for a loader that draws each class equally often? Ends the program for another value than sampler
 * and weights, and for a sampler of images with several labels. f: the flag. */
bool draws_balanced(const flag *f, const peft_dataset *train);
/* Replaces class_weights=balanced and pos_weight=balanced in the settings of --trainer by numbers; --balance weights
 * adds the one that fits the images. class_weights: images / (classes * images of the class); pos_weight, of several
 * labels per image: negatives / positives of the label. Of a class without images: 1. With masks the pixels of the
 * masks of `train` are counted in place of images; pixels: the counts, filled if empty; NULL: count without storing. */
void balance_weights(settings *trainer, const flag *f, const peft_dataset *train, mask_pixels *pixels);
/* Prints how the classes are balanced; nothing if they are not. trainer: text of --trainer, or NULL. pixels: as
 * above. */
void print_balance(const char *trainer, const flag *f, const peft_dataset *train, mask_pixels *pixels);
#endif
