/* SPDX-License-Identifier: Apache-2.0
 * callback.c -- the application's callbacks: the error of one that failed, and what must not be called in them. */
#include "core/train/trainer.h"

peft_status pf_stopped(const peft_trainer *t, const char *what, int returned)
{
    const long long step = t->step;
    if (pf_error_seen()) return pf_within(pf_error_seen(), "%s at step %lld", what, step);
    return pf_fail(PEFT_E_CANCELLED, "cancelled by the %s at step %lld, which returned %d", what, step, returned);
}

peft_status pf_trainer_ready(const peft_trainer *t)
{
    if (!t) return pf_fail(PEFT_E_INVALID, "trainer is NULL: expected a pointer");
    if (!t->inside) return PEFT_OK;
    return pf_fail(PEFT_E_STATE, "called in the %s of this trainer, while its step runs: call it when the step has "
                   "returned", t->inside);
}
