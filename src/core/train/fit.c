/* SPDX-License-Identifier: Apache-2.0
 * fit.c -- epochs of steps over a caller's batches. Where it stands (epoch, batch) is part of the trainer's state, so a
 * run that was stopped and restored goes on at the batch where it stopped. */
#include "core/train/trainer.h"

/* The rest of the current epoch. */
static peft_status one_epoch(peft_trainer *t, peft_batch_fn next, peft_progress_fn progress, void *user)
{
    for (;;) {
        t->image_view.dim[0] = t->label_view.dim[0] = t->batch;
        for (int64_t i = 0; i < t->batch; i++) t->ids[i] = -1;         /* left alone: samples without an id */
        int64_t n = next(t->epoch, t->batch_in_epoch, &t->image_view, &t->label_view, t->ids, user);
        if (n < 0) return pf_within(PEFT_E_CANCELLED, "batch %lld of epoch %lld", (long long)t->batch_in_epoch,
                                    (long long)t->epoch);
        if (n > t->batch)
            return pf_fail(PEFT_E_INVALID, "batch callback: returned %lld samples, expected at most %lld", (long long)n,
                           (long long)t->batch);
        if (n == 0) break;
        t->image_view.dim[0] = t->label_view.dim[0] = n;
        int64_t step = t->step;
        PF_TRY(peft_trainer_step(t, &t->image_view, &t->label_view, t->ids));
        t->batch_in_epoch++;
        if (t->step > step && progress && progress(t, user))
            return pf_fail(PEFT_E_CANCELLED, "cancelled by the progress callback at step %lld", (long long)t->step);
    }
    t->batch_in_epoch = 0;
    t->epoch++;
    if (!t->pending) return PEFT_OK;
    PF_TRY(peft_trainer_update(t));                   /* what a last, incomplete accumulation holds */
    return progress && progress(t, user) ? pf_fail(PEFT_E_CANCELLED, "cancelled by the progress callback at step %lld",
                                                   (long long)t->step) : PEFT_OK;
}

peft_status peft_trainer_fit(peft_trainer *t, int64_t epochs, peft_batch_fn next, peft_progress_fn progress, void *user)
{
    if (!t || !next) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", t ? "next" : "trainer");
    if (epochs < 0) return pf_fail(PEFT_E_INVALID, "epochs: given %lld, expected 0 or more", (long long)epochs);
    while (t->epoch < epochs) PF_TRY(one_epoch(t, next, progress, user));
    return PEFT_OK;
}
