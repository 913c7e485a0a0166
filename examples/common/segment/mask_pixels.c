/* SPDX-License-Identifier: Apache-2.0
 * mask_pixels.c -- reads all masks of a data set: whether they can be read, and how many pixels each class has
 * (mask_sets.h). */
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "mask_sets.h"
#include <stdlib.h>

static void add_labels(const peft_mask *m, int64_t classes, mask_pixels *n)
{
    const int64_t pixels = peft_mask_width(m) * peft_mask_height(m);
    int64_t *label = check_alloc(malloc((size_t)pixels * sizeof *label)), judged = 0;
    int64_t *of = check_alloc(calloc((size_t)classes, sizeof *of));
    must(peft_mask_labels(m, label));
    for (int64_t i = 0; i < pixels; i++) {
        if (label[i] < 0) continue;
        judged++;
        of[label[i]]++;
    }
    for (int64_t c = 0; c < classes; c++) {
        n->of[c] += of[c];
        n->not_of[c] += judged - of[c];
    }
    free(label);
    free(of);
}

static void add_targets(const peft_mask *m, int64_t classes, mask_pixels *n)
{
    const int64_t pixels = peft_mask_width(m) * peft_mask_height(m);
    float *target = check_alloc(malloc((size_t)(pixels * classes) * sizeof *target));
    must(peft_mask_targets(m, target));
    for (int64_t i = 0; i < pixels * classes; i++) {
        n->of[i % classes] += target[i] == 1;
        n->not_of[i % classes] += target[i] == 0;
    }
    free(target);
}

void count_mask_pixels(const peft_dataset *d, mask_pixels *n)
{
    const int64_t classes = label_classes(d);
    if (n->of) return;
    *n = (mask_pixels){ check_alloc(calloc((size_t)classes, sizeof *n->of)),
                        check_alloc(calloc((size_t)classes, sizeof *n->not_of)) };
    for (int64_t i = 0; i < peft_dataset_count(d) && !stop_requested; i++) {
        peft_image *im;
        peft_mask *mask;
        must(peft_dataset_load(d, i, &im));
        note_slice(peft_dataset_name(d, i), im);
        must(peft_dataset_load_mask(d, i, im, &mask));
        (peft_mask_multilabel(mask) ? add_targets : add_labels)(mask, classes, n);
        peft_mask_free(mask);
        peft_image_free(im);
    }
}

void free_mask_pixels(mask_pixels *n)
{
    free(n->of);
    free(n->not_of);
    *n = (mask_pixels){ 0 };
}

void check_masks(const peft_dataset *const *sets, int count, pixel_spacing spacing, mask_pixels *first)
{
    for (int k = 0; k < count; k++) {
        if (!sets[k]) continue;
        mask_pixels own = { 0 }, *n = first && !k ? first : &own;
        count_mask_pixels(sets[k], n);
        for (int64_t c = 0; c < label_classes(sets[k]) && !k && !stop_requested; c++)
            if (!n->of[c])
                warn("no pixel of the training masks is of class '%s', which the model cannot learn; check classes and "
                     "kind in --mask-options", label_class_name(sets[k], c));
        free_mask_pixels(&own);
    }
    warn_of_flat_slices(spacing);
}
