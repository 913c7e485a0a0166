/* SPDX-License-Identifier: Apache-2.0
 * transform.h -- the settings of a transform, and the steps that it takes. */
#ifndef IO_TRANSFORM_H
#define IO_TRANSFORM_H
#include "io/image/resize.h"

/* Indices of the words of resize, crop_offset, alpha, pad_mode and erase_fill, in the order of their choices. */
enum { IO_SQUASH, IO_SHORTER, IO_NONE };
enum { IO_CROP_ROUND, IO_CROP_FLOOR };
enum { IO_ALPHA_DROP, IO_ALPHA_WHITE };
enum { IO_PAD_ZERO, IO_PAD_REFLECT };
enum { IO_ERASE_MEAN, IO_ERASE_RANDOM, IO_ERASE_UNIFORM };
typedef struct io_recipe {
    int64_t size, pad;
    peft_opt_side resize;
    peft_opt_range range;
    int filter, order, offset, alpha, pad_mode, erase_fill;   /* filter: io_filter; order: io_order; others above */
    double crop_pct, mean[3], std[3];
    bool grey, random_crop;
    double scale[2], ratio[2], flip, brightness, contrast, saturation, erase, erase_area[2], erase_ratio[2];
} io_recipe;

struct peft_transform { atomic_int refs; atomic_bool warned; io_recipe recipe; char *text; };
peft_transform *io_transform_retain(peft_transform *t);

/* Sets *r to the defaults, then to what base (may be NULL) and then text sets; checks which settings go together. */
peft_status io_recipe_parse(const char *base, const char *text, io_recipe *r);
peft_status io_recipe_print(const io_recipe *r, char **text);

/* Ends a step that made *result of *im with status s: frees *im and sets it to *result, or to NULL on failure. */
peft_status io_step(peft_status s, peft_image *const *result, peft_image **im);
typedef peft_status (*io_random_step)(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample,
                                      peft_image **im);
peft_status io_random_crop(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im);
peft_status io_random_shift(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im);
peft_status io_random_flip(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im);
peft_status io_random_colour(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, peft_image **im);
/* true: peft_transform_apply_train gives another result for another epoch. */
bool io_recipe_random(const io_recipe *r);
/* Overwrites a box of the finished input [3, size, size]. */
void io_random_erase(const io_recipe *r, uint64_t seed, int64_t epoch, int64_t sample, float *out);
/* (sample / full - mean) / std of channel c, computed in double and rounded once. */
float io_normal(const io_recipe *r, int c, double sample, double full);
/* Maps the rescaled samples of the range, end[0]..end[1], to 0..65535 and clips those outside; without a range *out is
 * im, retained. PEFT_E_INVALID: the range is not one of the image's samples, or signed, floating-point or rescaled
 * samples come without a range. PEFT_E_NONFINITE: a sample is NaN or infinite. */
peft_status io_windowed(const peft_opt_range *range, const peft_image *im, peft_image **out);
/* Two percentiles (0..100) of all samples of a finite image, all channels together, after the rescale: in double and
 * with linear interpolation, as numpy.percentile of a float64 array gives them. */
peft_status io_percentiles(const peft_image *im, const double percent[2], double out[2]);
/* The image on a white background; an opaque one is retained. */
peft_status io_on_white(const peft_image *im, peft_image **out);
int64_t io_luma_at(const peft_image *im, int64_t pixel);
/* Luma of 8- or 16-bit RGB, rounded to nearest; a grey image is retained. */
peft_status io_luma(const peft_image *im, peft_image **out);
#endif
