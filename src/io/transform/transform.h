/* SPDX-License-Identifier: Apache-2.0
 * transform.h -- the struct behind peft_transform; loaders and predictors keep a reference to one. */
#ifndef IO_TRANSFORM_H
#define IO_TRANSFORM_H
#include "io/image/mask/mask.h"
#include "io/transform/recipe.h"

struct peft_transform {
    peft_context *ctx;
    atomic_int refs;
    atomic_bool warned_of_dark;                               /* the warning of a dark image was given (window.c) */
    io_recipe recipe;
    char *text;                                               /* recipe printed, for peft_transform_text */
};
/* One use of a transform: without augmentations, or in training, where they depend on the numbers. */
typedef struct io_use { bool training; uint64_t seed; int64_t epoch, sample; } io_use;
/* Makes the image that the steps before the first random one give; it depends on use.training alone. The caller frees
 * *out. */
peft_status io_transform_prepare(const peft_transform *t, const peft_image *im, io_use use, peft_image **out);
/* Makes the input of an image that io_transform_prepare made with the same use.training: out [3, height, width]. */
peft_status io_transform_finish(const peft_transform *t, const peft_image *prepared, io_use use, float *out);
/* The same for the mask of the image: the steps move it by the same random numbers, and those that draw none with the
 * image are io_transform_prepare_mask's. The caller frees *out; the second has the size of the input. */
peft_status io_transform_prepare_mask(const peft_transform *t, const peft_mask *m, io_use use, peft_mask **out);
peft_status io_transform_finish_mask(const peft_transform *t, const peft_mask *prepared, io_use use, peft_mask **out);
/* Returns t, with one more reference. */
static inline peft_transform *io_transform_retain(peft_transform *t)
{
    io_retain(&t->refs);
    return t;
}
#endif
