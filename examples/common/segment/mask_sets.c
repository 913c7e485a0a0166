/* SPDX-License-Identifier: Apache-2.0
 * mask_sets.c -- data sets whose labels are masks (mask_sets.h). */
#include "mask_sets.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <string.h>

const char *path_of_masks(const char *masks, const char *mask_options)
{
    if (masks && !*masks)
        fail("--masks: the path is empty; give the folder of the masks, or leave it out if they lie beside the images");
    return !masks && mask_options ? BESIDE_IMAGES : masks;
}

static bool has_ending(const char *path, const char *ending)
{
    const size_t length = strlen(path), n = strlen(ending);
    return length > n && !strcasecmp(path + length - n, ending);
}

peft_dataset *add_masks(peft_dataset *d, const char *flag, const char *path, const char *options)
{
    peft_dataset *out;
    const bool beside = !strcmp(path, BESIDE_IMAGES);
    const peft_status s = peft_dataset_with_masks(d, beside ? NULL : path, options, &out);
    if (s == PEFT_E_OPTION) fail("--mask-options: %s", peft_last_error());
    if (s && has_ending(path, ".zip"))
        fail("--%s %s: masks are not read from a zip yet; unpack it, and give the folder", flag, path);
    if (s && beside)
        fail("--mask-options: %s (%s); the masks are taken from the folders of the images, give --masks DIR if they "
             "lie elsewhere", peft_last_error(), peft_status_name(s));
    if (s) fail("--%s %s: %s (%s)", flag, path, peft_last_error(), peft_status_name(s));
    enum { most_classes = 256 };                              /* of a segmenter (peft_segmenter_create) */
    if (peft_dataset_mask_classes(out) > most_classes)
        fail("--mask-options: %lld classes, expected at most %d, as predicted masks have 8 bits",
             (long long)peft_dataset_mask_classes(out), most_classes);
    peft_dataset_free(d);
    return out;
}

int64_t label_classes(const peft_dataset *d)
{
    return peft_dataset_has_masks(d) ? peft_dataset_mask_classes(d) : peft_dataset_classes(d);
}

bool has_several_labels(const peft_dataset *d)
{
    return peft_dataset_has_masks(d) ? peft_dataset_mask_multilabel(d) : peft_dataset_multilabel(d);
}

const char *label_class_name(const peft_dataset *d, int64_t c)
{
    return peft_dataset_has_masks(d) ? peft_dataset_mask_class_name(d, c) : peft_dataset_class_name(d, c);
}

void check_loss_of_masks(const char *loss, const peft_dataset *d)
{
    static const char *const of_labels[] = { "bce", "bce_sum", "focal_bce", "dice_multilabel", "bce_dice" };
    bool labels = false;
    if (!loss || !peft_dataset_has_masks(d)) return;
    const bool several = peft_dataset_mask_multilabel(d), soft = !strcmp(loss, "soft_ce");
    for (size_t i = 0; i < sizeof of_labels / sizeof *of_labels; i++) labels |= !strcmp(loss, of_labels[i]);
    if (labels == several && !soft) return;
    fail("--loss %s: is for %s a pixel, and the masks give %s; expected %s", loss, soft ? "a share of each class"
         : labels ? "several labels" : "one class", several ? "several labels" : "one class", several
         ? "bce, bce_sum, focal_bce, dice_multilabel or bce_dice" : "ce, focal, dice or ce_dice");
}

void print_mask_classes(const peft_dataset *d)
{
    printf("masks: %lld %s:", (long long)label_classes(d), peft_dataset_mask_multilabel(d) ? "labels" : "classes");
    for (int64_t c = 0; c < label_classes(d); c++) printf("%s %s", c ? "," : "", label_class_name(d, c));
    putchar('\n');
}
