/* SPDX-License-Identifier: Apache-2.0
 * fit.c -- peft_trainer_fit: trains for epochs on batches from a callback. Epoch and batch are part of the training
 * state, so that a restored run goes on with the next batch of its epoch. */
#include "core/train/trainer.h"

/* Has the callback fill t->image_view and t->label_view; sets *n to the samples, 0 after the epoch's last batch. If the
 * callback fails, the error is that of the last libpeft function that failed in the callback, or the one that the
 * callback gave to peft_set_error. */
static peft_status next_batch(peft_trainer *t, peft_batch_fn next, void *user, int64_t *n)
{
    const long long batch = t->batch_in_epoch, epoch = t->epoch;
    t->image_view.dim[0] = t->label_view.dim[0] = t->batch;
    for (int64_t i = 0; i < t->batch; i++) t->ids[i] = -1;             /* ids that the callback does not set */
    pf_clear_failure();
    *n = next(epoch, batch, &t->image_view, &t->label_view, t->ids, user);
    const peft_status cause = pf_last_failure();
    if (*n < 0 && cause) return pf_prefix_error(cause, "batch %lld of epoch %lld", batch, epoch);
    if (*n < 0)
        return pf_fail(PEFT_E_CANCELLED, "batch %lld of epoch %lld: cancelled by the batch callback, which returned "
                       "%lld", batch, epoch, (long long)*n);
    if (*n > t->batch)
        return pf_fail(PEFT_E_INVALID, "batch callback: returned %lld samples, expected at most %lld", (long long)*n,
                       (long long)t->batch);
    if (!*n && !batch)
        return pf_fail(PEFT_E_STATE, "epoch %lld has no samples: the batch callback returned 0 for its first batch",
                       epoch);
    return PEFT_OK;
}

/* Calls the progress callback, if there is one, after an update. If that of one rank fails, all ranks fail. */
static peft_status report_progress(peft_trainer *t, peft_progress_fn progress, void *user)
{
    if (!progress) return PEFT_OK;
    pf_clear_failure();
    const int stop = progress(t, user);
    if (!stop) return PEFT_OK;
    const peft_status s = pf_callback_failed(t, "progress callback", stop);
    if (!pf_is_shared(t)) return s;
    pf_round_begin(t);                               /* the other ranks, which are in their next round, fail with it */
    return pf_round_end(t, s, false);
}

/* Gets the next batch and makes its pass, if there is one. */
static peft_status shared_batch(peft_trainer *t, peft_batch_fn next, void *user)
{
    int64_t n;
    PF_TRY(next_batch(t, next, user, &n));
    if (!n) return PEFT_OK;
    t->image_view.dim[0] = t->label_view.dim[0] = n;
    PK_FLOAT_SCOPE;
    t->caller_mode = PK_FLOAT_CALLER;
    return pf_own_backward(t, &t->image_view, &t->label_view, t->ids);
}

/* A round of all ranks, which take the next batches of the epoch in their order. The last ranks have none if the update
 * needs fewer passes. Sets *more to false after the epoch's last batch. */
static peft_status shared_round(peft_trainer *t, peft_batch_fn next, void *user, bool *more)
{
    const int64_t first = t->batch_in_epoch, missing = t->accumulate - t->pending, before = t->batches;
    const int64_t wanted = missing < t->ranks.ranks ? missing : t->ranks.ranks;
    peft_status s = PEFT_OK;
    pf_round_begin(t);
    if (t->ranks.rank < wanted) {
        t->batch_in_epoch = first + t->ranks.rank;
        s = shared_batch(t, next, user);
        t->batch_in_epoch = first;
    }
    PF_TRY(pf_round_end(t, s, false));
    t->batch_in_epoch = first + (t->batches - before);
    *more = t->batches - before == wanted;
    return pf_pending_count(t) < t->accumulate ? PEFT_OK : peft_trainer_update(t);
}

/* The step of a trainer that makes all passes. */
static peft_status own_step(peft_trainer *t, peft_batch_fn next, void *user, bool *more)
{
    int64_t n;
    PF_TRY(next_batch(t, next, user, &n));
    *more = n > 0;
    if (!n) return PEFT_OK;
    t->image_view.dim[0] = t->label_view.dim[0] = n;
    PF_TRY(peft_trainer_step(t, &t->image_view, &t->label_view, t->ids));
    t->batch_in_epoch++;
    return PEFT_OK;
}

/* Trains on the rest of the current epoch, and makes the update of its last passes. */
static peft_status one_epoch(peft_trainer *t, peft_batch_fn next, peft_progress_fn progress, void *user)
{
    for (bool more = true; more;) {
        const int64_t step = t->step;
        PF_TRY((pf_is_shared(t) ? shared_round : own_step)(t, next, user, &more));
        if (t->step > step) PF_TRY(report_progress(t, progress, user));            /* the step made an update */
    }
    t->batch_in_epoch = 0;
    t->epoch++;
    if (!pf_pending_count(t)) return PEFT_OK;
    const int64_t step = t->step;
    PF_TRY(peft_trainer_update(t));                   /* of the last passes, fewer than "accumulate" */
    return t->step > step ? report_progress(t, progress, user) : PEFT_OK;
}

peft_status peft_trainer_fit(peft_trainer *t, int64_t epochs, peft_batch_fn next, peft_progress_fn progress, void *user)
{
    PF_TRY(pf_trainer_ready(t));
    if (!next) return pf_fail(PEFT_E_INVALID, "next is NULL: expected a function");
    if (epochs < 0) return pf_fail(PEFT_E_INVALID, "epochs: given %lld, expected 0 or more", (long long)epochs);
    if (t->fitting)
        return pf_fail(PEFT_E_STATE, "peft_trainer_fit: called in a callback of peft_trainer_fit of the same trainer; "
                       "call it again after it has returned");
    peft_status s = PEFT_OK;
    t->fitting = true;
    while (!s && t->epoch < epochs) s = one_epoch(t, next, progress, user);
    if (!s && pf_is_shared(t)) {                     /* a rank whose last progress callback failed tells it here */
        pf_round_begin(t);
        s = pf_round_end(t, PEFT_OK, true);
    }
    t->fitting = false;
    return s;
}
