/* SPDX-License-Identifier: Apache-2.0
 * step.h -- what a step of a transform provides: one row of the table in steps.c. A new step is a file that defines its
 * row, io_step_NAME, a line in steps.def at its place in the order, and its settings in recipe.def. */
#ifndef IO_STEP_H
#define IO_STEP_H
#include "io/rng.h"
#include "io/transform/recipe.h"

/* One use of a transform. Random steps draw from a generator keyed by seed, epoch, sample and a purpose of their own
 * (rng.h). */
typedef struct io_run {
    const io_recipe *recipe;
    bool training;
    uint64_t seed;
    int64_t epoch, sample;
    atomic_bool *warned;                                      /* the transform has given its warning of dark images */
} io_run;
static inline io_rng io_run_rng(const io_run *run, int purpose)
{
    return io_rng_make(purpose, run->seed, run->epoch, run->sample);
}

typedef struct io_step {
    bool random;                                              /* draws random numbers: another result each epoch */
    bool (*wanted)(const io_recipe *r, bool training);
    /* Replaces *im; on failure *im is freed and NULL. The range step comes early: after it samples are u8 or u16. */
    peft_status (*apply)(const io_run *run, peft_image **im);
    /* Or changes the finished input [3, size, size]. */
    void (*finish)(const io_run *run, float *input);
} io_step;

/* Ends a step that made *result of *im with status s: frees *im and sets it to *result, or to NULL on failure. */
static inline peft_status io_replace(peft_status s, peft_image *const *result, peft_image **im)
{
    peft_image_free(*im);
    *im = s ? NULL : *result;
    return s;
}
#endif
