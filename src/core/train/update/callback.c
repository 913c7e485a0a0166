/* SPDX-License-Identifier: Apache-2.0
 * callback.c -- errors about the application's callbacks (loss function, reducer, progress): of one that failed, and of
 * a function that must not be called in one. */
#include "core/train/trainer.h"

/* If a libpeft call failed in the callback, its status and message tell the cause; else the callback cancelled. */
peft_status pf_callback_failed(const peft_trainer *t, const char *callback, int returned)
{
    const long long step = t->step;
    if (pf_last_failure()) return pf_prefix_error(pf_last_failure(), "%s at step %lld", callback, step);
    return pf_fail(PEFT_E_CANCELLED, "cancelled by the %s at step %lld, which returned %d", callback, step, returned);
}

peft_status pf_trainer_ready(const peft_trainer *t)
{
    if (!t) return pf_fail(PEFT_E_INVALID, "trainer is NULL: expected a pointer");
    if (!t->callback) return PEFT_OK;
    return pf_fail(PEFT_E_STATE, "trainer: called in the trainer's %s, which runs within a step; call it after the "
                   "step has returned", t->callback);
}
