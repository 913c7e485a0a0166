/* SPDX-License-Identifier: Apache-2.0
 * step.h -- io_step: the functions of one step of a transform. The table in steps.c lists all steps. To add one, write
 * a file that defines io_step_NAME, add the line IO_STEP(NAME) to steps.def at its place in the order, and its settings
 * to recipe.def. */
#ifndef IO_STEP_H
#define IO_STEP_H
#include "io/rng.h"
#include "io/transform/recipe.h"

/* One application of a transform to one image. Random steps draw from a generator keyed by seed, epoch, sample and the
 * step's own purpose (rng.h), so that one step's draws do not change those of another. */
typedef struct io_run {
    peft_context *ctx;                                        /* of the transform, for warnings */
    const io_recipe *recipe;
    bool training;
    uint64_t seed;
    int64_t epoch, sample;
    atomic_bool *warned;                                      /* whether the transform has warned of a dark image */
} io_run;

static inline io_rng io_run_rng(const io_run *run, int purpose)
{
    return io_rng_make(purpose, run->seed, run->epoch, run->sample);
}

/* A step has apply or finish; the other is NULL. */
typedef struct io_step {
    bool random;                                              /* draws random numbers: results differ between epochs */
    bool (*wanted)(const io_recipe *r, bool training);        /* whether the settings ask for the step */
    /* Replaces *im by the result; on failure frees *im and sets it to NULL. The steps after range get samples of u8 or
     * u16 without a rescale. */
    peft_status (*apply)(const io_run *run, peft_image **im);
    /* Changes the normalised input [3, size, size] in place, after all steps with apply. */
    void (*finish)(const io_run *run, float *input);
} io_step;

/* Frees *im and sets it to *result, or to NULL where s is a failure; returns s. It reads *result after the call that
 * gives s: io_replace(make(*im, &next), &next, im). */
static inline peft_status io_replace(peft_status s, peft_image *const *result, peft_image **im)
{
    peft_image_free(*im);
    *im = s ? NULL : *result;
    return s;
}
#endif
