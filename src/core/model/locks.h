/* SPDX-License-Identifier: Apache-2.0
 * locks.h -- the guards of a model: its own (list of adapters, notes, head), and those of its adapters, which other
 * models may share. All are taken together, first the model's own, then those of the adapters by their addresses: as
 * every thread keeps this order, no two wait for each other. Held while values are read or changed, and never while a
 * callback of the application runs. */
#ifndef PF_LOCKS_H
#define PF_LOCKS_H
#include "core/model/model.h"

void pf_model_lock_read(const peft_model *m);
void pf_model_lock_write(const peft_model *m);
void pf_model_unlock(const peft_model *m);
/* A reference for a trainer or a session: while it lives, adapters are neither attached nor detached. */
void pf_model_use(peft_model *m);
void pf_model_unuse(peft_model *m);
#endif
