/* SPDX-License-Identifier: Apache-2.0
 * adapt_images.c -- loads images in a random order, corrupted on request, and finds their classes (adapt.h). */
#include "adapt.h"
#include "common/backbone/image_sides.h"
#include "common/corruption/corruption.h"
#include "common/corruption/random.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

enum { STREAM_ORDER = 100 };                                  /* purpose of a stream (random.h), above corruptions */

/* The numbers 0 .. n - 1 in an order drawn by seed; to be freed. */
static int64_t *random_order(int64_t n, uint64_t seed)
{
    int64_t *order = check_alloc(malloc((size_t)(n ? n : 1) * sizeof *order));
    stream s = make_stream(STREAM_ORDER, seed, 0, n);
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = (int64_t)(next_word(&s) % (uint64_t)(i + 1));
        order[i] = order[k];
        order[k] = i;
    }
    return order;
}

/* The class of the model that has the name of class c of d. */
static int64_t class_in_model(const loaded_model *m, const peft_dataset *d, int64_t c)
{
    const char *name = peft_dataset_class_name(d, c);
    for (int64_t i = 0; i < m->classes; i++) if (!strcmp(m->names[i], name)) return i;
    fail("--data: the model has no class '%s'; give images of the classes that the model was trained on", name);
}

/* Writes image `sample` of d, corrupted if choice says so, as the network's input. */
static void load_image(const loaded_model *m, const peft_dataset *d, int64_t sample, const image_choice *choice,
                       float *pixels)
{
    peft_image *im;
    must(peft_dataset_load(d, sample, &im));
    if (choice->strength) {
        peft_image *changed = corrupt_image(m->ctx, im, choice->corruption, choice->strength, choice->seed, sample);
        peft_image_free(im);
        im = changed;
    }
    must(peft_transform_apply(m->transform, im, pixels));
    peft_image_free(im);
}

int64_t image_count(const peft_dataset *d, int64_t count)
{
    const int64_t all = peft_dataset_count(d);
    return count && count < all ? count : all;
}

image_set load_images(const loaded_model *m, const peft_dataset *d, const image_choice *choice)
{
    const int64_t all = peft_dataset_count(d), floats = image_floats(m->transform);
    const int64_t n = image_count(d, choice->count);
    if (peft_dataset_multilabel(d)) fail("--data: its images have several labels; expected one for each image");
    if (peft_dataset_classes(d) > m->classes)
        fail("--data: %lld classes, but the model has %lld", (long long)peft_dataset_classes(d), (long long)m->classes);
    image_set s = { .count = n, .sample = random_order(all, choice->seed) };
    s.pixels = check_alloc(malloc((size_t)(n * floats) * sizeof *s.pixels));
    s.labels = check_alloc(malloc((size_t)n * sizeof *s.labels));
    for (int64_t i = 0; i < n; i++) {
        load_image(m, d, s.sample[i], choice, s.pixels + i * floats);
        s.labels[i] = class_in_model(m, d, peft_dataset_label(d, s.sample[i]));
    }
    return s;
}

void group_cases(image_set *s, const peft_dataset *d, case_rule rule)
{
    const bool *all_known = NULL;
    const char **name = check_alloc(malloc((size_t)(s->count + 1) * sizeof *name));
    for (int64_t i = 0; i < s->count; i++) name[i] = peft_dataset_case(d, s->sample[i]);
    s->cases = find_cases(name, all_known, s->count);
    s->by_case = true;
    s->rule = rule;
    free(name);
}

int64_t judged_count(const image_set *s) { return s->by_case ? s->cases.count : s->count; }

int64_t judged_label(const image_set *s, int64_t i) { return s->labels[s->by_case ? s->cases.first[i] : i]; }

void free_images(image_set *s)
{
    if (s->by_case) free_cases(&s->cases);
    free(s->pixels);
    free(s->labels);
    free(s->sample);
    *s = (image_set){ 0 };
}
