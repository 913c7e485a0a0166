/* SPDX-License-Identifier: Apache-2.0
 * steps.h -- the table of steps, and running all of them. */
#ifndef IO_STEPS_H
#define IO_STEPS_H
#include "io/transform/step.h"

#define IO_STEP(name) extern const io_step io_step_##name;
#include "io/transform/steps.def"
#undef IO_STEP

/* Applies the wanted steps to the image, in the order of steps.def; on failure frees *im and sets it to NULL. */
peft_status io_steps_apply(const io_run *run, peft_image **im);
/* Applies the wanted steps to the normalised input [3, size, size], in place. */
void io_steps_finish(const io_run *run, float *input);
/* Whether peft_transform_apply_train may give different results for different epochs. */
bool io_steps_random(const io_recipe *r);
#endif
