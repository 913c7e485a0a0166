/* SPDX-License-Identifier: Apache-2.0
 * steps.h -- the table of steps, and running all of them. */
#ifndef IO_STEPS_H
#define IO_STEPS_H
#include "io/transform/step.h"

#define IO_STEP(name) extern const io_step io_step_##name;
#include "io/transform/steps.def"
#undef IO_STEP

/* All wanted steps on the image; on failure *im is freed and NULL. */
peft_status io_steps_apply(const io_run *run, peft_image **im);
/* All wanted steps on the finished input [3, size, size]. */
void io_steps_finish(const io_run *run, float *input);
/* Whether peft_transform_apply_train gives another result for another epoch. */
bool io_steps_random(const io_recipe *r);
#endif
