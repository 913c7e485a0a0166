/* SPDX-License-Identifier: Apache-2.0
 * locks.h -- takes all reader-writer locks of a model: its own (list of adapters, notes, head) and those of its
 * adapters, which other models may share. The order is fixed, first the model's and then the adapters' by address, so
 * that no two threads can wait for each other. They are held while values are read or changed, and never while a
 * callback of the application runs. */
#ifndef PF_LOCKS_H
#define PF_LOCKS_H
#include "core/model/model.h"

void pf_model_lock_read(const peft_model *m);
void pf_model_lock_write(const peft_model *m);
void pf_model_unlock(const peft_model *m);
/* Take and give back a reference for a trainer or session. While one is held, attach and detach are refused. */
void pf_model_use(peft_model *m);
void pf_model_unuse(peft_model *m);
#endif
