/* SPDX-License-Identifier: Apache-2.0
 * arrays.c -- prints the splits of a data set of MedMNIST (pictures.h). */
#include "pictures.h"
#include "common/data/data.h"
#include "common/data/forms.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>

static void print_split(const peft_dataset *d, const char *split)
{
    peft_image *im;
    char depth[DEPTH_SIZE];
    must(peft_dataset_load(d, 0, &im));
    printf("  %s: %lld pictures, %lldx%lld (height x width), %s, %s; %s", split, (long long)peft_dataset_count(d),
           (long long)peft_image_height(im), (long long)peft_image_width(im),
           peft_image_channels(im) == 1 ? "grey" : "RGB", depth_text(im, depth),
           peft_dataset_multilabel(d) ? "labels" : "classes");
    peft_image_free(im);
    int64_t *count = count_classes(d);
    for (int64_t c = 0; c < peft_dataset_classes(d); c++)
        printf("%s %s (%lld)", c ? "," : "", peft_dataset_class_name(d, c), (long long)count[c]);
    putchar('\n');
    free(count);
}

bool inspect_arrays(peft_context *ctx, const char *path)
{
    static const char *const splits[] = { "train", "val", "test" };
    bool found = false;
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        peft_dataset *d;
        if (peft_dataset_open_npz(ctx, path, splits[i], &d)) continue;
        if (!found) printf("%s: data set of MedMNIST; it is a --data of the programs\n", path);
        found = true;
        print_split(d, splits[i]);
        peft_dataset_free(d);
    }
    return found;
}
