/* SPDX-License-Identifier: Apache-2.0
 * balance.c -- class balance: the sampler, and weights from the numbers of images, or of the pixels of masks
 * (balance.h). */
#include "balance.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is(const char *value, const char *name) { return value && !strcmp(value, name); }

bool draws_balanced(const flag *f, const peft_dataset *train)
{
    if (f->value && !is(f->value, "sampler") && !is(f->value, "weights"))
        fail("--balance %s: expected sampler or weights", f->value);
    if (!is(f->value, "sampler")) return false;
    if (peft_dataset_multilabel(train))
        fail("--balance sampler: images with several labels cannot be drawn so that each label comes equally often; "
             "give --balance weights");
    return true;
}

/* For each class the numbers of images, or of pixels, that are of it, and that are not; of several labels the judged
 * ones. all: the images, or the judged pixels. */
typedef struct class_counts { int64_t *positive, *negative, all; } class_counts;

static void free_counts(class_counts *n)
{
    free(n->positive);
    free(n->negative);
}

static class_counts count_images(const peft_dataset *d)
{
    const int64_t classes = peft_dataset_classes(d);
    class_counts n = { check_alloc(calloc((size_t)classes, sizeof *n.positive)),
                       check_alloc(calloc((size_t)classes, sizeof *n.negative)), peft_dataset_count(d) };
    float *target = check_alloc(malloc((size_t)classes * sizeof *target));
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        must(peft_dataset_targets(d, i, target));
        for (int64_t c = 0; c < classes; c++) {
            n.positive[c] += target[c] == 1;
            n.negative[c] += target[c] == 0;
        }
    }
    free(target);
    return n;
}

static int64_t *copy_counts(const int64_t *count, int64_t classes)
{
    return memcpy(check_alloc(malloc((size_t)classes * sizeof *count)), count, (size_t)classes * sizeof *count);
}

/* Of pixels, in place of images. pixels: the counts, filled if empty; NULL: counts without storing. */
static class_counts count_pixels(const peft_dataset *d, mask_pixels *pixels)
{
    mask_pixels own = { 0 }, *n = pixels ? pixels : &own;
    count_mask_pixels(d, n);
    const class_counts counts = { copy_counts(n->of, label_classes(d)), copy_counts(n->not_of, label_classes(d)),
                                  n->of[0] + n->not_of[0] };
    free_mask_pixels(&own);
    return counts;
}

static class_counts count_classes_of(const peft_dataset *d, mask_pixels *pixels)
{
    return peft_dataset_has_masks(d) ? count_pixels(d, pixels) : count_images(d);
}

/* The weights as a setting: "0.5,1.5,.."; to be freed. */
static char *format_weights(const class_counts *n, int64_t classes, bool of_positives)
{
    int64_t present = 0;
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    for (int64_t c = 0; c < classes; c++) present += n->positive[c] > 0;
    for (int64_t c = 0; c < classes; c++) {
        const double positive = (double)n->positive[c], negative = (double)n->negative[c];
        double weight = 1;
        if (positive > 0 && of_positives && negative > 0) weight = negative / positive;
        else if (positive > 0 && !of_positives) weight = (double)n->all / ((double)present * positive);
        fprintf(f, "%s%.9g", c ? "," : "", weight);
    }
    if (fclose(f)) fail("out of memory");
    return text;
}

void balance_weights(settings *trainer, const flag *f, const peft_dataset *train, mask_pixels *pixels)
{
    static const char *const names[] = { "class_weights", "pos_weight" };
    const bool several = has_several_labels(train);
    for (int of_positives = 0; of_positives < 2; of_positives++) {
        const char *name = names[of_positives], *given = find_setting(trainer, name);
        if (is(f->value, "weights") && several == of_positives) {
            if (given) fail("--balance weights: sets %s, which --trainer gives too; leave one out", name);
            given = "balanced";
        }
        if (!is(given, "balanced")) continue;
        if (several != of_positives)
            fail("--trainer %s=balanced: is for %s with %s; give %s=balanced", name,
                 peft_dataset_has_masks(train) ? "pixels" : "images", several ? "one label" : "several labels",
                 names[several]);
        class_counts n = count_classes_of(train, pixels);
        char *text = format_weights(&n, label_classes(train), of_positives);
        set_setting(trainer, name, text);
        free(text);
        free_counts(&n);
    }
}

void print_balance(const char *trainer, const flag *f, const peft_dataset *train, mask_pixels *pixels)
{
    static const char *const names[] = { "class_weights", "pos_weight" };
    settings s = read_settings(trainer, "--trainer");
    if (is(f->value, "sampler"))
        printf("class balance: each class is drawn equally often, %lld images in an epoch\n",
               (long long)peft_dataset_count(train));
    balance_weights(&s, f, train, pixels);
    for (int k = 0; k < 2; k++)
        if (find_setting(&s, names[k])) printf("class balance: %s %s\n", names[k], find_setting(&s, names[k]));
    free_settings(&s);
}
