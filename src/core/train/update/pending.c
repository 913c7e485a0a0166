/* SPDX-License-Identifier: Apache-2.0
 * pending.c -- counts the batches since the last update (batches), and those that had a backward pass (pending).
 * Restores the state from before the first of them: pf_pending_drop the buffers (running statistics), pf_pending_rewind
 * also the position in the data. */
#include <string.h>
#include "core/train/trainer.h"

void pf_pending_buffers(peft_trainer *t, bool restore)
{
    pk_real *saved = t->saved_buffers;
    if (restore) pf_model_lock_write(t->model);
    for (size_t i = 0; i < peft_model_buffer_count(t->model); i++) {
        peft_tensor *b = &pf_model_buffer(t->model, i)->value;
        int64_t n = peft_tensor_count(b);
        memcpy(restore ? b->data : saved, restore ? saved : b->data, (size_t)n * sizeof *saved);
        saved += n;
    }
    if (restore) pf_model_unlock(t->model);
}

/* With a reducer all batches count, so that every rank calls it after the same number of batches. */
int64_t pf_pending_count(const peft_trainer *t) { return t->reduce.fn ? t->batches : t->pending; }

void pf_pending_add(peft_trainer *t, int64_t samples, bool backward)
{
    if (!t->batches) t->pending_start = (pf_data_position){ t->epoch, t->batch_in_epoch, t->samples };
    t->batches++;
    t->pending += backward;
    t->samples += samples;
}

void pf_pending_drop(peft_trainer *t)
{
    if (t->pending) pf_pending_buffers(t, true);
    t->pending = t->batches = 0;
}

void pf_pending_rewind(peft_trainer *t)
{
    pf_pending_drop(t);
    t->epoch = t->pending_start.epoch;
    t->batch_in_epoch = t->pending_start.batch_in_epoch;
    t->samples = t->pending_start.samples;
}
