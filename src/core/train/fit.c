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

/* Calls the progress callback, if there is one, after an update. */
static peft_status report_progress(peft_trainer *t, peft_progress_fn progress, void *user)
{
    if (!progress) return PEFT_OK;
    pf_clear_failure();
    const int stop = progress(t, user);
    return stop ? pf_callback_failed(t, "progress callback", stop) : PEFT_OK;
}

/* Trains on the rest of the current epoch, and makes the update of its last passes. */
static peft_status one_epoch(peft_trainer *t, peft_batch_fn next, peft_progress_fn progress, void *user)
{
    for (;;) {
        int64_t n, step = t->step;
        PF_TRY(next_batch(t, next, user, &n));
        if (!n) break;
        t->image_view.dim[0] = t->label_view.dim[0] = n;
        PF_TRY(peft_trainer_step(t, &t->image_view, &t->label_view, t->ids));
        t->batch_in_epoch++;
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
    t->fitting = false;
    return s;
}
