/* SPDX-License-Identifier: Apache-2.0
 * reduce.c -- calls the application's reducer, which replaces a trainer's gradients by their sum over all trainers of a
 * data-parallel run. */
#include <string.h>
#include "core/train/trainer.h"

peft_status pf_check_rank(int64_t rank, int64_t ranks)
{
    if (ranks >= 1 && rank >= 0 && rank < ranks) return PEFT_OK;
    return pf_fail(PEFT_E_INVALID, "rank and ranks: given %lld and %lld, expected 1 rank or more, and a rank from 0 to "
                   "ranks - 1", (long long)rank, (long long)ranks);
}

peft_status peft_trainer_set_reduce(peft_trainer *t, int64_t rank, int64_t ranks, peft_reduce_fn fn, void *user)
{
    PF_TRY(pf_trainer_ready(t));
    PF_TRY(pf_check_rank(rank, ranks));
    if (!fn && ranks > 1)
        return pf_fail(PEFT_E_INVALID, "fn is NULL: expected a function that adds up the gradients of %lld ranks, or "
                       "ranks 1", (long long)ranks);
    if (pf_is_shared(t))
        return pf_fail(PEFT_E_STATE, "reducer: the trainer has ranks; remove them by peft_trainer_set_ranks first");
    if (pf_pending_count(t))
        return pf_fail(PEFT_E_STATE, "%lld batches since the last update: call peft_trainer_update first; or set the "
                       "reducer before restoring a state that has such batches", (long long)pf_pending_count(t));
    t->batches = 0;                                   /* those since the last update had no pass: they do not count */
    t->reduce = (pf_reduce){ fn, user, rank, ranks };
    return PEFT_OK;
}

/* The error of a reducer that returned another number than 0, or fewer passes than this rank has made. */
static peft_status reducer_failed(const peft_trainer *t, int returned, int64_t passes)
{
    if (returned) return pf_callback_failed(t, "reducer", returned);
    return pf_fail(PEFT_E_INVALID, "reducer at step %lld: passes is %lld, expected the number of backward passes of "
                   "all ranks, at least the %lld of this trainer", (long long)t->step, (long long)passes,
                   (long long)t->pending);
}

int pf_call_reducer(peft_trainer *t, int64_t *passes)
{
    pf_clear_failure();
    t->callback = "reducer";
    pk_float_restore(&t->caller_mode);
    const int returned = t->reduce.fn((float *)(void *)t->slab, peft_model_trainable_count(t->model), passes,
                                      t->reduce.user);
    pk_float_default();
    t->callback = NULL;
    return returned;
}

peft_status pf_reduce_gradients(peft_trainer *t, int64_t *passes)
{
    if (!t->reduce.fn) return PEFT_OK;
    const int64_t count = peft_model_trainable_count(t->model);
    /* without a pass the slab holds gradients of an earlier update; this rank's share of the sum is 0 */
    if (!t->pending) memset(t->slab, 0, (size_t)count * sizeof *t->slab);
    const int returned = pf_call_reducer(t, passes);
    if (!returned && *passes >= t->pending) return PEFT_OK;
    const peft_status s = reducer_failed(t, returned, *passes);
    pf_pending_rewind(t);
    return s;
}
