/* SPDX-License-Identifier: Apache-2.0
 * transform.h -- a transform's settings, and the steps they are made of. */
#ifndef IO_TRANSFORM_H
#define IO_TRANSFORM_H
#include "io/resize.h"

typedef enum io_fit { IO_SQUASH, IO_SHORTER } io_fit;
typedef struct io_recipe {
    int64_t size;
    int fit, filter;                                          /* io_fit, io_filter */
    double crop_pct, mean[3], std[3];
    bool grey, random_crop;
    double scale[2], ratio[2], flip, brightness, contrast;
} io_recipe;

struct peft_transform { atomic_int refs; io_recipe recipe; char *text; };
peft_transform *io_transform_retain(peft_transform *t);

/* One step with status s replaces *im by *result; on failure *im is freed. */
peft_status io_step(peft_status s, peft_image *const *result, peft_image **im);
/* Random box and resize, or leave *im alone when the recipe has no random crop. Then flip and colours. */
peft_status io_random_crop(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im);
peft_status io_random_look(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im);
/* Luma of 8- or 16-bit RGB, rounded to nearest; a grey image is retained. */
peft_status io_luma(const peft_image *im, peft_image **out);
#endif
