/* SPDX-License-Identifier: Apache-2.0
 * locks.c -- see locks.h. */
#include "core/model/locks.h"
#include <stdint.h>

/* The adapter with the next higher address than last; NULL: none. A model has few. */
static peft_adapter *above(const peft_model *m, const peft_adapter *last)
{
    peft_adapter *found = NULL;
    for (size_t i = 0; i < m->adapters; i++) {
        peft_adapter *a = m->adapter[i];
        if ((uintptr_t)a > (uintptr_t)last && (!found || (uintptr_t)a < (uintptr_t)found)) found = a;
    }
    return found;
}

static void lock(const peft_model *m, void (*take)(pf_guard *g))
{
    take((pf_guard *)(uintptr_t)&m->guard);
    for (peft_adapter *a = above(m, NULL); a; a = above(m, a)) take(&a->guard);
}

void pf_model_lock_read(const peft_model *m) { lock(m, pf_guard_read); }
void pf_model_lock_write(const peft_model *m) { lock(m, pf_guard_write); }

void pf_model_unlock(const peft_model *m)
{
    for (size_t i = 0; i < m->adapters; i++) pf_guard_done(&m->adapter[i]->guard);
    pf_guard_done((pf_guard *)(uintptr_t)&m->guard);
}

void pf_model_use(peft_model *m)
{
    pf_model_retain(m);
    pf_guard_read(&m->guard);                          /* waits for an attach or detach that has seen no user */
    atomic_fetch_add(&m->users, 1);
    pf_guard_done(&m->guard);
}

void pf_model_unuse(peft_model *m)
{
    atomic_fetch_sub(&m->users, 1);
    peft_model_free(m);
}
