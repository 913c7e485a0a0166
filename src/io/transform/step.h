/* SPDX-License-Identifier: Apache-2.0
 * step.h -- io_step: the functions of one step of a transform, such as flip. steps.def lists all steps. To add one,
 * write a file in steps/ that defines io_step_NAME, add the line IO_STEP(NAME) to steps.def at its place in the order,
 * and its settings to recipe.def. */
#ifndef IO_STEP_H
#define IO_STEP_H
#include "io/image/mask/mask.h"
#include "io/rng.h"
#include "io/transform/recipe.h"

/* One application of a transform to one image. Each random step has a generator of its own, keyed by seed, epoch,
 * sample and the step's purpose (rng.h), so that the settings of one step do not change what another draws. */
typedef struct io_run {
    peft_context *ctx;                                        /* of the transform, for warnings */
    const io_recipe *recipe;
    bool training;                                            /* augmentations are applied */
    uint64_t seed;
    int64_t epoch, sample;
    atomic_bool *warned_of_dark;                              /* whether the transform warned of a dark image */
} io_run;

/* The generator of one step, whose purpose is one of IO_RNG_... (rng.h). */
static inline io_rng io_run_rng(const io_run *run, int purpose)
{
    return io_rng_make(purpose, run->seed, run->epoch, run->sample);
}

/* A step has apply or apply_to_input; the other is NULL. */
typedef struct io_step {
    bool random;                                              /* draws random numbers: results differ between epochs */
    bool (*wanted)(const io_recipe *r, bool training);        /* whether these settings need the step */
    /* Replaces *im by the result; on failure frees *im and sets it to NULL. Steps after `range` get u8 or u16 samples
     * with slope 1 and intercept 0. */
    peft_status (*apply)(const io_run *run, peft_image **im);
    /* Moves the grid of a mask as apply moves the image, by the same random numbers; NULL: the step leaves pixels where
     * they are. */
    peft_status (*move)(const io_run *run, io_grid *grid);
    /* Changes the normalised input [3, height, width] in place, after all steps with apply. */
    void (*apply_to_input)(const io_run *run, float *input);
} io_step;

/* Ends an apply: frees *im and sets it to *result, or to NULL where s is a failure; returns s. Used as
 * io_replace(make(*im, &next), &next, im); result is a pointer so that it is read after make has set next. */
static inline peft_status io_replace(peft_status s, peft_image *const *result, peft_image **im)
{
    peft_image_free(*im);
    *im = s ? NULL : *result;
    return s;
}
#endif
