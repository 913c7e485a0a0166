/* SPDX-License-Identifier: Apache-2.0
 * steps.c -- the table of the steps in steps.def, and the functions that run them (transform.c calls these). */
#include "io/transform/steps.h"

static const io_step *const steps[] = {
#define IO_STEP(name) &io_step_##name,
#include "io/transform/steps.def"
#undef IO_STEP
};
enum { STEPS = sizeof steps / sizeof *steps };

peft_status io_steps_apply(const io_run *run, peft_image **im)
{
    peft_status s = PEFT_OK;
    for (int i = 0; i < STEPS && !s; i++)
        if (steps[i]->apply && steps[i]->wanted(run->recipe, run->training)) s = steps[i]->apply(run, im);
    return s;
}

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
