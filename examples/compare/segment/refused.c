/* SPDX-License-Identifier: Apache-2.0
 * refused.c -- what compare refuses with --masks (segment.h). */
#include "common/program/errors.h"
#include "segment.h"
#include <string.h>

void check_mask_recipe(const flag *recipe)
{
    if (!strcmp(recipe[recipe_method].value, "probe"))
        fail("--method probe: is a classifier of images, and with --masks each pixel has a class; leave the entry "
             "out, or give --method linear, which trains the head alone");
    if (recipe[flag_tune].value)
        fail("--tune: chooses by classes of images; with --masks give each of the values an entry of the list, on "
             "other images than those of the final study");
    refuse_balance(recipe[recipe_balance].value);
}

void refuse_several_labels(const peft_dataset *d)
{
    if (peft_dataset_mask_multilabel(d))
        fail("--mask-options multilabel=true: compare judges one class a pixel; leave it out, or train on several "
             "labels a pixel by finetune --case-figures, once for each method");
}
