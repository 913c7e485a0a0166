/* SPDX-License-Identifier: Apache-2.0
 * pending.c -- counts the batches since the last update (batches), and those that had a backward pass (pending).
 * Restores the state from before the first of them: pf_pending_drop the buffers (running statistics), pf_pending_rewind
 * also the position in the data. */
#include <string.h>
#include "core/train/trainer.h"

void pf_pending_save_buffers(peft_trainer *t)
{
    pk_real *saved = t->saved_buffers;
    for (size_t i = 0; i < peft_model_buffer_count(t->model); i++) {
        const peft_tensor *b = &pf_model_buffer(t->model, i)->value;
        memcpy(saved, b->data, pf_tensor_bytes(b));
        saved += peft_tensor_count(b);
    }
}

void pf_pending_restore_buffers(peft_trainer *t)
{
    const pk_real *saved = t->saved_buffers;
    pf_model_lock_write(t->model);
    for (size_t i = 0; i < peft_model_buffer_count(t->model); i++) {
        const peft_tensor *b = &pf_model_buffer(t->model, i)->value;
        memcpy(b->data, saved, pf_tensor_bytes(b));
        saved += peft_tensor_count(b);
    }
    pf_model_unlock(t->model);
}

/* With a reducer all batches count, so that every rank calls its reducer after the same number of batches. */
int64_t pf_pending_count(const peft_trainer *t) { return t->reduce.fn ? t->batches : t->pending; }

void pf_pending_add_pass(peft_trainer *t, int64_t samples)
{
    pf_pending_add_without_pass(t, samples);
    t->pending++;
}

void pf_pending_add_without_pass(peft_trainer *t, int64_t samples)
{
    if (!t->batches && !pf_is_shared(t))                     /* else pf_round_begin has done so */
        t->pending_start = (pf_data_position){ t->epoch, t->batch_in_epoch, t->samples };
    t->batches++;
    t->samples += samples;
}

void pf_pending_drop(peft_trainer *t)
{
    if (t->pending) pf_pending_restore_buffers(t);
    t->pending = t->batches = 0;
}

void pf_pending_rewind(peft_trainer *t)
{
    pf_pending_drop(t);
    t->epoch = t->pending_start.epoch;
    t->batch_in_epoch = t->pending_start.batch_in_epoch;
    t->samples = t->pending_start.samples;
}
