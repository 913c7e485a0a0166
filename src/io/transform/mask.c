/* SPDX-License-Identifier: Apache-2.0
 * mask.c -- moves a mask as a transform moves its image: the steps change a grid, by which the mask is then read. */
#include "io/transform/transform.h"
#include "io/transform/steps.h"

typedef peft_status (*move_function)(const io_run *run, io_grid *grid);

static peft_status move_by(const peft_transform *t, const peft_mask *m, io_use use, move_function move, peft_mask **out)
{
    const io_run run = { .ctx = t->ctx, .recipe = &t->recipe, .training = use.training, .seed = use.seed,
                         .epoch = use.epoch, .sample = use.sample };
    io_grid grid;
    peft_status s = io_grid_make(m->ctx, m->width, m->height, &grid);
    if (!s) s = move(&run, &grid);
    if (!s) s = io_mask_move(m, &grid, out);
    io_grid_free(&grid);
    return s;
}

peft_status io_transform_prepare_mask(const peft_transform *t, const peft_mask *m, io_use use, peft_mask **out)
{
    return move_by(t, m, use, io_steps_move_prepare, out);
}

peft_status io_transform_finish_mask(const peft_transform *t, const peft_mask *prepared, io_use use, peft_mask **out)
{
    return move_by(t, prepared, use, io_steps_move_finish, out);
}

static peft_status apply(const peft_transform *t, const peft_mask *m, io_use use, peft_mask **out)
{
    peft_mask *prepared;
    if (!t || !m || !out)
        return io_fail(PEFT_E_INVALID, "transform of a mask: %s is NULL", !t ? "transform" : !m ? "mask" : "out");
    peft_status s = io_transform_prepare_mask(t, m, use, &prepared);
    if (s) return s;
    s = io_transform_finish_mask(t, prepared, use, out);
    peft_mask_free(prepared);
    return s;
}

peft_status peft_transform_apply_mask(const peft_transform *t, const peft_mask *m, peft_mask **out)
{
    return apply(t, m, (io_use){ .training = false }, out);
}

peft_status peft_transform_apply_train_mask(const peft_transform *t, const peft_mask *m, uint64_t seed, int64_t epoch,
                                            int64_t sample, peft_mask **out)
{
    return apply(t, m, (io_use){ .training = true, .seed = seed, .epoch = epoch, .sample = sample }, out);
}
