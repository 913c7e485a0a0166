/* SPDX-License-Identifier: Apache-2.0
 * shared_features.h -- one feature cache (trainer.h) for several trainings on the same images: what the frozen layers
 * make of an image is computed once. Images have the hash of their pixels as id, so that an image and its flipped
 * version are two, each with features of its own. The cache does not change the results of a training. */
#ifndef SHARED_FEATURES_H
#define SHARED_FEATURES_H
#include "common/model/recipe.h"
#include <stdbool.h>

/* Is a cache of use to trainings of this recipe? Not if little of a step is frozen, if augmentation makes new images in
 * every epoch, or if the recipe has a file of its own. loader: of the images `train` with the seed of base. */
bool features_can_be_shared(const training_run *base, const flag *recipe, peft_dataset *train, peft_loader *loader);
/* Gives the trainer of the recipe the cache file at path. */
void share_features(flag *recipe, const char *path);
/* A peft_batch_fn whose user is the loader, with hashes of the images' pixels as ids. */
int64_t next_by_content(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                        void *loader);
#endif
