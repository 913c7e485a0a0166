/* SPDX-License-Identifier: Apache-2.0
 * classes.c -- counts the images of each class, and tells of classes without training images and of test images that
 * are all of one class (data.h). */
#include "data.h"
#include "common/program/errors.h"
#include <stdlib.h>

/* Counts the targets of each class that are, or with `judged` that can be, 1; [classes], to be freed. */
static int64_t *count_targets(const peft_dataset *d, bool judged)
{
    const int64_t classes = peft_dataset_classes(d);
    int64_t *count = check_alloc(calloc((size_t)classes, sizeof *count));
    float *targets = check_alloc(malloc((size_t)classes * sizeof *targets));
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        must(peft_dataset_targets(d, i, targets));
        for (int64_t c = 0; c < classes; c++) count[c] += judged ? targets[c] >= 0 : targets[c] > 0;
    }
    free(targets);
    return count;
}

int64_t *count_classes(const peft_dataset *d) { return count_targets(d, false); }

int64_t *count_judged(const peft_dataset *d) { return count_targets(d, true); }

void check_drawn_classes(const peft_dataset *train, const peft_dataset *held, const char *name)
{
    int64_t *kept = count_classes(train), *taken = count_classes(held);
    const bool by_patient = peft_dataset_has_groups(train) && !peft_dataset_multilabel(train);
    for (int64_t c = 0; by_patient && c < peft_dataset_classes(train); c++)
        if (!kept[c] && taken[c])
            fail("class '%s': the draw by patient made all its %lld images %s images, so none is left to train on: it "
                 "has too few patients; add images of other patients, or give --%s PATH",
                 peft_dataset_class_name(train, c), (long long)taken[c], name, *name == 'v' ? "val" : name);
    free(kept);
    free(taken);
}

void check_classes(const peft_dataset *train, const char *path)
{
    int64_t *count = count_classes(train);
    const char *skipped = peft_dataset_skipped(train);
    for (int64_t c = 0; c < peft_dataset_classes(train); c++) {
        const char *name = peft_dataset_class_name(train, c);
        if (!count[c] && peft_dataset_multilabel(train))
            warn("%s: no training image has the label '%s': it cannot be learned", path, name);
        else if (!count[c])
            fail("%s: class '%s' has no training image%s%s; add images, or remove the class from the data", path, name,
                 *skipped ? "; not read: " : "", skipped);
    }
    free(count);
}

/* Several labels per image: names the first label that all test images have, or none has. */
static void check_test_labels(const peft_dataset *test, const int64_t *count)
{
    int64_t *judged = count_targets(test, true), found = 0, example = 0;
    for (int64_t c = peft_dataset_classes(test) - 1; c >= 0; c--)
        if (!count[c] || count[c] == judged[c]) example = c, found++;
    if (found)
        warn("%s of the %lld judged test images %s the label '%s'%s: its AUROC does not exist; add test images with "
             "and without it", count[example] ? "all" : "none", (long long)judged[example],
             count[example] ? "have" : "has", peft_dataset_class_name(test, example),
             found > 1 ? " (there are more such labels)" : "");
    free(judged);
}

void check_test_classes(const peft_dataset *test)
{
    int64_t *count = count_classes(test), present = 0, only = 0;
    for (int64_t c = 0; c < peft_dataset_classes(test); c++)
        if (count[c]) present++, only = c;
    if (peft_dataset_multilabel(test)) check_test_labels(test, count);
    else if (present == 1 && peft_dataset_classes(test) > 1)
        warn("all test images are of class '%s': AUROC, specificity of this class and sensitivity of the others do not "
             "exist; give --test images of every class", peft_dataset_class_name(test, only));
    free(count);
}
