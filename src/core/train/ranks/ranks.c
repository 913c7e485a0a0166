/* SPDX-License-Identifier: Apache-2.0
 * ranks.c -- the passes of an update divided over several trainers ("ranks"), peft_trainer_set_ranks. In a round each
 * rank makes at most one pass. Then all gather what each has done, or how it failed, and add the gradients in the order
 * of the ranks. Each rank goes on with the sums, counters and losses that one trainer has that makes all passes. */
#include <stdio.h>
#include <string.h>
#include "core/train/trainer.h"

/* What a rank tells the others after its part of a round. ending: it has no further rounds. */
typedef struct record {
    int64_t status, step, ending, batches, samples, passes;
    double loss, added;
    char message[448];
} record;

/* What ranks must have in common. */
typedef struct start { uint64_t parameters; int64_t count, accumulate, batch; uint64_t seed; } start;

/* Calls the gather function in the caller's floating-point mode. */
static peft_status gather(peft_trainer *t, const void *mine, void *all, size_t bytes)
{
    pf_clear_failure();
    t->callback = "gather function";
    pk_float_restore(&t->caller_mode);
    const int returned = t->ranks.gather(mine, all, bytes, t->ranks.user);
    pk_float_default();
    t->callback = NULL;
    return returned ? pf_callback_failed(t, "gather function", returned) : PEFT_OK;
}

/* Replaces values by the sum over all ranks that have passes; expected: the passes of all ranks. */
static peft_status sum(peft_trainer *t, pk_real *values, int64_t count, int64_t passes, int64_t expected)
{
    pf_clear_failure();
    t->callback = "sum function";
    pk_float_restore(&t->caller_mode);
    const int returned = t->ranks.sum((float *)(void *)values, count, &passes, t->ranks.user);
    pk_float_default();
    t->callback = NULL;
    if (returned) return pf_callback_failed(t, "sum function", returned);
    if (passes == expected) return PEFT_OK;
    return pf_fail(PEFT_E_INVALID, "sum function at step %lld: passes is %lld, expected %lld, the passes of all ranks",
                   (long long)t->step, (long long)passes, (long long)expected);
}

/* A hash (FNV-1a of words) of all parameters. */
static uint64_t hash_parameters(peft_model *m)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        const peft_tensor *v = &peft_model_param(m, i)->value;
        const pk_real *x = v->data;
        for (int64_t k = 0; k < peft_tensor_count(v); k++) {
            uint32_t word;
            memcpy(&word, &x[k], sizeof word);
            h = (h ^ word) * 1099511628211u;
        }
    }
    return h;
}

/* PEFT_E_MISMATCH: a rank differs from rank 0. */
static peft_status check_starts(const start *all, int64_t ranks)
{
    for (int64_t r = 1; r < ranks; r++) {
        const start *a = &all[0], *b = &all[r];
        const char *what = a->count != b->count ? "number of parameters"
                         : a->accumulate != b->accumulate ? "option accumulate"
                         : a->batch != b->batch ? "option batch" : a->seed != b->seed ? "seed"
                         : a->parameters != b->parameters ? "values of the parameters" : NULL;
        if (what)
            return pf_fail(PEFT_E_MISMATCH, "rank %lld: its %s is not that of rank 0; expected the same model, options "
                           "and seed in all ranks", (long long)r, what);
    }
    return PEFT_OK;
}

static void forget_ranks(peft_trainer *t)
{
    pf_free(t->ctx, t->ranks.records);
    t->ranks = (pf_ranks){ .ranks = 1 };
}

void pf_ranks_free(peft_trainer *t) { forget_ranks(t); }

/* Makes room for the records, and compares what the ranks have in common. */
static peft_status meet(peft_trainer *t)
{
    const size_t bytes = (size_t)t->ranks.ranks * sizeof(record);
    const start mine = { hash_parameters(t->model), peft_model_trainable_count(t->model), t->accumulate, t->batch,
                         t->seed };
    t->ranks.records = pf_alloc_zero(t->ctx, bytes);
    if (!t->ranks.records) return pf_nomem("records of ranks", bytes);
    PF_TRY(gather(t, &mine, t->ranks.records, sizeof mine));
    return check_starts(t->ranks.records, t->ranks.ranks);
}

peft_status peft_trainer_set_ranks(peft_trainer *t, int64_t rank, int64_t ranks, peft_gather_fn gather_fn,
                                   peft_reduce_fn sum_fn, void *user)
{
    PK_FLOAT_SCOPE;
    PF_TRY(pf_trainer_ready(t));
    t->caller_mode = PK_FLOAT_CALLER;
    if (ranks < 1 || rank < 0 || rank >= ranks)
        return pf_fail(PEFT_E_INVALID, "rank and ranks: given %lld and %lld, expected 1 rank or more, and a rank from "
                       "0 to ranks - 1", (long long)rank, (long long)ranks);
    if (!gather_fn != !sum_fn || (!gather_fn && ranks > 1))
        return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a function, or NULL for both and ranks 1",
                       gather_fn ? "sum" : "gather");
    if (t->reduce.fn || t->pending || t->fitting)
        return pf_fail(PEFT_E_STATE, "ranks: %s", t->reduce.fn ? "the trainer has a reducer; remove it by "
                       "peft_trainer_set_reduce first" : t->fitting ? "called within peft_trainer_fit" : "passes since "
                       "the last update; call peft_trainer_update first, or set the ranks before restoring a state");
    if (ranks > t->accumulate)
        return pf_fail(PEFT_E_OPTION, "accumulate: given %lld for %lld ranks, of which each makes passes of every "
                       "update; expected accumulate=%lld or more, with a smaller batch if the number of samples of an "
                       "update shall stay", (long long)t->accumulate, (long long)ranks, (long long)ranks);
    if (gather_fn && t->local.steps > 1)
        return pf_fail(PEFT_E_OPTION, "local_steps: given %lld, expected 1 with ranks that share the passes of an "
                       "update; updates of their own need peft_trainer_set_reduce", (long long)t->local.steps);
    forget_ranks(t);
    if (!gather_fn) return PEFT_OK;
    t->batches = 0;
    t->ranks = (pf_ranks){ .gather = gather_fn, .sum = sum_fn, .user = user, .rank = rank, .ranks = ranks };
    const peft_status s = meet(t);
    if (s) forget_ranks(t);
    return s;
}

void pf_round_begin(peft_trainer *t)
{
    if (!t->batches) {
        t->pending_start = (pf_data_position){ t->epoch, t->batch_in_epoch, t->samples };
        pf_pending_save_buffers(t);
    }
    t->round = (pf_round){ t->pending, t->batches, t->samples, t->loss_sum };
}

/* The error of the first rank that failed, or whose counters are not those of rank 0; PEFT_OK: there is none. */
static peft_status find_failure(const record *all, int64_t ranks)
{
    for (int64_t r = 0; r < ranks; r++)
        if (all[r].status) return pf_fail((peft_status)all[r].status, "rank %lld: %s", (long long)r, all[r].message);
    for (int64_t r = 1; r < ranks; r++) {
        if (all[r].step == all[0].step && all[r].ending == all[0].ending) continue;
        return pf_fail(PEFT_E_STATE, "rank %lld %s after %lld updates, rank 0 %s after %lld: expected the same epochs "
                       "and batches in all ranks", (long long)r, all[r].ending ? "ends" : "goes on",
                       (long long)all[r].step, all[0].ending ? "ends" : "goes on", (long long)all[0].step);
    }
    return PEFT_OK;
}

/* Counts the passes of all ranks in their order, as one trainer counts its own. Returns the passes of this round. */
static int64_t add_records(peft_trainer *t, const record *all)
{
    int64_t passes = 0;
    t->pending = t->round.pending;
    t->batches = t->round.batches;
    t->samples = t->round.samples;
    t->loss_sum = t->round.loss_sum;
    for (int64_t r = 0; r < t->ranks.ranks; r++) {
        t->batches += all[r].batches;
        t->samples += all[r].samples;
        if (!all[r].passes) continue;
        t->loss_sum = all[r].loss + (t->pending ? t->loss_sum : 0);
        t->last_added = all[r].added;
        t->last_loss = t->loss_sum / (double)++t->pending;
        passes++;
    }
    return passes;
}

peft_status pf_round_end(peft_trainer *t, peft_status s, bool ending)
{
    PK_FLOAT_SCOPE;
    record mine = { .status = s, .step = t->step, .ending = ending }, *all = t->ranks.records;
    char own[1024] = "";                                 /* gather may change the thread's last message */
    if (s) {
        snprintf(own, sizeof own, "%s", peft_last_error());
        snprintf(mine.message, sizeof mine.message, "%.*s", (int)sizeof mine.message - 1, own);
    } else {
        mine.batches = t->batches - t->round.batches;
        mine.samples = t->samples - t->round.samples;
        mine.passes = t->pending - t->round.pending;
        mine.loss = t->pass_loss;
        mine.added = t->last_added;
    }
    peft_status of_all = gather(t, &mine, all, sizeof mine);
    if (!of_all) of_all = find_failure(all, t->ranks.ranks);
    if (!of_all && add_records(t, all)) {
        /* rank 0 adds its passes to the sum of earlier rounds, the others have only their own */
        const int64_t passes = mine.passes + (t->ranks.rank ? 0 : t->round.pending);
        of_all = sum(t, t->slab, peft_model_trainable_count(t->model), passes, t->pending);
    }
    if (!of_all) return PEFT_OK;
    pf_pending_rewind(t);
    return s ? peft_set_error(s, own) : of_all;
}

peft_status pf_share_buffers(peft_trainer *t)
{
    int64_t count = 0;
    for (size_t i = 0; i < peft_model_buffer_count(t->model); i++)
        count += peft_tensor_count(&pf_model_buffer(t->model, i)->value);
    if (!count) return PEFT_OK;
    pf_pending_save_buffers(t);
    PF_TRY(sum(t, t->saved_buffers, count, t->ranks.rank == 0, 1));        /* that of rank 0 */
    pf_pending_restore_buffers(t);
    return PEFT_OK;
}
