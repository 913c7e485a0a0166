/* SPDX-License-Identifier: Apache-2.0
 * steps.c -- the table of the steps in steps.def, and the functions that run them (transform.c calls these). */
#include "io/transform/steps.h"

static const io_step *const steps[] = {
#define IO_STEP(name) &io_step_##name,
#include "io/transform/steps.def"
#undef IO_STEP
};
enum { STEPS = sizeof steps / sizeof *steps };

/* The first random step with apply that the run needs; STEPS: none. */
static int first_random(const io_run *run)
{
    int i = 0;
    while (i < STEPS && !(steps[i]->random && steps[i]->apply && steps[i]->wanted(run->recipe, run->training))) i++;
    return i;
}

/* Runs apply of the steps begin .. end - 1 that are needed. */
static peft_status apply(const io_run *run, int begin, int end, peft_image **im)
{
    peft_status s = PEFT_OK;
    for (int i = begin; i < end && !s; i++)
        if (steps[i]->apply && steps[i]->wanted(run->recipe, run->training)) s = steps[i]->apply(run, im);
    return s;
}

peft_status io_steps_prepare(const io_run *run, peft_image **im) { return apply(run, 0, first_random(run), im); }
peft_status io_steps_finish(const io_run *run, peft_image **im) { return apply(run, first_random(run), STEPS, im); }

/* Runs move of the steps begin .. end - 1 that are needed. */
static peft_status move(const io_run *run, int begin, int end, io_grid *grid)
{
    peft_status s = PEFT_OK;
    for (int i = begin; i < end && !s; i++)
        if (steps[i]->move && steps[i]->wanted(run->recipe, run->training)) s = steps[i]->move(run, grid);
    return s;
}

peft_status io_steps_move_prepare(const io_run *run, io_grid *grid) { return move(run, 0, first_random(run), grid); }
peft_status io_steps_move_finish(const io_run *run, io_grid *grid) { return move(run, first_random(run), STEPS, grid); }

void io_steps_apply_to_input(const io_run *run, float *input)
{
    for (int i = 0; i < STEPS; i++)
        if (steps[i]->apply_to_input && steps[i]->wanted(run->recipe, run->training))
            steps[i]->apply_to_input(run, input);
}

bool io_steps_random(const io_recipe *r)
{
    const bool training = true;
    for (int i = 0; i < STEPS; i++)
        if (steps[i]->random && steps[i]->wanted(r, training)) return true;
    return false;
}
