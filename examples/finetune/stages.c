/* SPDX-License-Identifier: Apache-2.0
 * stages.c -- recipes of further stages, and the effective rank of features (stages.h). */
#include "stages.h"
#include "common/backbone/image_sides.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void copy_recipe(flag *flags, const flag *recipe, const char *method, const char *options, const char *epochs)
{
    memcpy(flags, recipe, recipe_flags * sizeof *flags);
    flags[recipe_method].value = method;
    flags[recipe_options].value = options;
    if (epochs) flags[recipe_epochs].value = epochs;
}

void print_effective_rank(const training_run *t, const peft_dataset *d, const char *when)
{
    const int64_t n = peft_dataset_count(d);
    const int64_t width = peft_model_feature_width(t->model);
    float *features = check_alloc(malloc((size_t)(n * width) * sizeof *features));
    peft_session *s;
    peft_tensor *image, *row;
    double rank;
    must(peft_session_create(t->model, NULL, &s));
    image = new_images(t->ctx, t->transform, 1);
    for (int64_t i = 0; i < n && !stop_requested; i++) {
        peft_image *im;
        must(peft_dataset_load(d, i, &im));
        must(peft_transform_apply(t->transform, im, peft_tensor_data(image)));
        must(peft_tensor_wrap(t->ctx, PEFT_F32, 2, (int64_t[]){ 1, width }, features + i * width, &row));
        must(peft_session_features(s, image, row));
        peft_tensor_free(row);
        peft_image_free(im);
    }
    if (!stop_requested) {
        must(peft_analysis_effective_rank(t->ctx, features, n, width, &rank));
        printf("effective rank of the features of %lld test images %s: %.2f\n", (long long)n, when, rank);
    }
    peft_tensor_free(image);
    peft_session_free(s);
    free(features);
}
