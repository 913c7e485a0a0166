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

/* Calls the gather function in the caller's floating-point mode. */
peft_status pf_ranks_gather(peft_trainer *t, const void *mine, void *all, size_t bytes)
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

void pf_ranks_free(peft_trainer *t)
{
    pf_free(t->ctx, t->ranks.records);
    t->ranks = (pf_ranks){ .ranks = 1 };
}

peft_status pf_ranks_make_records(peft_trainer *t)
{
    const size_t bytes = (size_t)t->ranks.ranks * sizeof(record);
    t->ranks.records = pf_alloc_zero(t->ctx, bytes);
    return t->ranks.records ? PEFT_OK : pf_nomem("records of ranks", bytes);
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
    peft_status of_all = pf_ranks_gather(t, &mine, all, sizeof mine);
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
