/* SPDX-License-Identifier: Apache-2.0
 * transform.h -- a transform's settings, and the steps they are made of. */
#ifndef IO_TRANSFORM_H
#define IO_TRANSFORM_H
#include "io/resize.h"

typedef enum io_fit { IO_SQUASH, IO_SHORTER } io_fit;
enum { IO_PAD_ZERO, IO_PAD_REFLECT };
enum { IO_ERASE_MEAN, IO_ERASE_RANDOM };
typedef struct io_recipe {
    int64_t size, pad;
    int fit, filter, pad_mode, erase_fill;                    /* io_fit, io_filter, as above */
    double crop_pct, mean[3], std[3];
    bool grey, random_crop;
    double scale[2], ratio[2], flip, brightness, contrast, saturation, erase, erase_area[2], erase_ratio[2];
} io_recipe;

struct peft_transform { atomic_int refs; io_recipe recipe; char *text; };
peft_transform *io_transform_retain(peft_transform *t);

/* One step with status s replaces *im by *result; on failure *im is freed. */
peft_status io_step(peft_status s, peft_image *const *result, peft_image **im);
typedef peft_status (*io_random_step)(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample,
                                      peft_image **im);
peft_status io_random_crop(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im);
peft_status io_random_shift(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im);
peft_status io_random_flip(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im);
peft_status io_random_colour(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im);
/* Overwrites a box of the finished input [3, size, size]. */
void io_random_erase(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, float *out);
/* What a sample of channel c becomes; computed in double and rounded once. */
float io_normal(const io_recipe *r, int c, double sample, double full);
/* Luma of 8- or 16-bit RGB, rounded to nearest; a grey image is retained. */
peft_status io_luma(const peft_image *im, peft_image **out);
#endif
