/* SPDX-License-Identifier: Apache-2.0
 * shared_features.c -- decides on and sets a feature cache for several trainings (shared_features.h). */
#include "shared_features.h"
#include "compare_int64.h"
#include "common/backbone/image_sides.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include <stdlib.h>
#include <string.h>

static const char cache_bytes[] = "268435456";

/* A hash of n numbers, from 0 on. */
static int64_t hash_of(const float *x, int64_t n)
{
    uint64_t h = (uint64_t)n;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        h = (h ^ bits) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    return (int64_t)(h & INT64_MAX);
}

int64_t next_by_content(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                        void *loader)
{
    const int64_t n = peft_loader_next(epoch, batch, images, labels, ids, loader);
    const int64_t numbers = n > 0 ? peft_tensor_count(images) / peft_tensor_dim(images, 0) : 0;
    for (int64_t i = 0; i < n; i++) ids[i] = hash_of((const float *)peft_tensor_cdata(images) + i * numbers, numbers);
    return n;
}

static int64_t count_different(int64_t *ids, int64_t count)
{
    int64_t different = 0;
    qsort(ids, (size_t)count, sizeof *ids, compare_int64);
    for (int64_t i = 0; i < count; i++) different += !i || ids[i] != ids[i - 1];
    return different;
}

/* Do at most two versions of each image occur in the first epochs? Reads the first five epochs, and ends after the
 * epoch in which there are more. */
static bool repeats_images(const training_run *base, peft_loader *loader, int64_t images)
{
    enum { epochs = 5 };
    const int64_t batch = peft_loader_batch_size(loader);
    int64_t *ids = check_alloc(malloc((size_t)((images + batch) * epochs) * sizeof *ids)), count = 0, different = 0;
    peft_tensor *x = new_images(base->io_ctx, base->transform, batch);
    for (int64_t e = 0; e < epochs && different <= 2 * images; e++) {
        for (int64_t b = 0, n = 1; n > 0; b++) {
            n = next_by_content(e, b, x, NULL, ids + count, loader);
            if (n < 0) fail("%s", peft_last_error());
            count += n;
        }
        different = count_different(ids, count);
    }
    peft_tensor_free(x);
    free(ids);
    return different <= 2 * images;
}

/* The operations of a training step of this recipe, without those that a cache replaces. */
static double step_flops(const training_run *base, const flag *recipe, peft_dataset *train, peft_loader *loader)
{
    training_run t = training_with(base, recipe, train, loader);
    const double flops = peft_trainer_get(t.trainer, "flops");
    t.loader = NULL;
    free_training_beside(&t);
    return flops;
}

static void set_cache(flag *recipe, const char *path)
{
    flag *trainer = &recipe[recipe_trainer];
    settings s = read_settings(trainer->value, "--trainer");
    if (!find_setting(&s, "cache_features")) set_setting(&s, "cache_features", cache_bytes);
    if (path) set_setting(&s, "cache_file", path);
    trainer->value = settings_text(&s);
    free_settings(&s);
}

bool features_can_be_shared(const training_run *base, const flag *recipe, peft_dataset *train, peft_loader *loader)
{
    const double worth = 0.8;                                 /* of the operations remain */
    settings s = read_settings(recipe[recipe_trainer].value, "--trainer");
    const bool own = find_setting(&s, "cache_file"), cached = find_setting(&s, "cache_features");
    flag copy[recipe_flags];
    free_settings(&s);
    if (own) return false;
    memcpy(copy, recipe, sizeof copy);
    set_cache(copy, NULL);
    const double with = step_flops(base, copy, train, loader);
    free((char *)(uintptr_t)copy[recipe_trainer].value);
    if (!cached && with > worth * step_flops(base, recipe, train, loader)) return false;
    return repeats_images(base, loader, peft_dataset_count(train));
}

void share_features(flag *recipe, const char *path)
{
    const char *before = recipe[recipe_trainer].value;
    set_cache(recipe, path);
    free((char *)(uintptr_t)before);
}
