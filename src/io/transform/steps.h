/* SPDX-License-Identifier: Apache-2.0
 * steps.h -- the steps of all transforms (steps.def), and functions that run those a transform needs. */
#ifndef IO_STEPS_H
#define IO_STEPS_H
#include "io/transform/step.h"
#include "io/transform/transform.h"

#define IO_STEP(name) extern const io_step io_step_##name;
#include "io/transform/steps.def"
#undef IO_STEP

/* Run apply of the steps that run->recipe needs, in the order of steps.def; on failure they free *im and set it to
 * NULL. io_steps_prepare: the steps before the first random one, whose result is the same in every epoch;
 * io_steps_finish: the others. */
peft_status io_steps_prepare(const io_run *run, peft_image **im);
peft_status io_steps_finish(const io_run *run, peft_image **im);
/* The same of move: of the steps before the first random one with apply, and of the others. */
peft_status io_steps_move_prepare(const io_run *run, io_grid *grid);
peft_status io_steps_move_finish(const io_run *run, io_grid *grid);
/* Runs apply_to_input of these steps on the normalised input [3, height, width], in place. */
void io_steps_apply_to_input(const io_run *run, float *input);
/* Whether a step that draws random numbers is needed, so that peft_transform_apply_train depends on the epoch. */
bool io_steps_random(const io_recipe *r);
/* Of the step fit: left, top, right and bottom edge of its output in pixels of an image of width x height. */
void io_fit_box(const io_recipe *r, int64_t width, int64_t height, double box[4]);
/* Of the step range: *out is the range that gives parts of the image the samples that they have in the whole image;
 * percentiles become values. Warns of a dark image as the step does. */
peft_status io_range_of_parts(const peft_transform *t, const peft_image *im, peft_opt_range *out);
#endif
