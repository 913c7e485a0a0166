/* SPDX-License-Identifier: Apache-2.0
 * locks.c -- see locks.h: locks of a model and its adapters in one fixed order, and the count of trainers and
 * sessions. */
#include "core/model/locks.h"
#include <stdint.h>

/* The adapter with the next higher address after `last`; NULL: none. A search each time, as a model has few
 * adapters. */
static peft_adapter *next_adapter(const peft_model *m, const peft_adapter *last)
{
    peft_adapter *found = NULL;
    for (size_t i = 0; i < m->adapters; i++) {
        peft_adapter *a = m->adapter[i];
        if ((uintptr_t)a > (uintptr_t)last && (!found || (uintptr_t)a < (uintptr_t)found)) found = a;
    }
    return found;
}

/* Applies lock_one to the model's lock and then to those of its adapters, by address. */
static void lock_all(const peft_model *m, void (*lock_one)(pf_rwlock *l))
{
    lock_one((pf_rwlock *)(uintptr_t)&m->lock);
    const peft_adapter *none_yet = NULL;
    for (peft_adapter *a = next_adapter(m, none_yet); a; a = next_adapter(m, a)) lock_one(&a->lock);
}

void pf_model_lock_read(const peft_model *m) { lock_all(m, pf_rwlock_read); }
void pf_model_lock_write(const peft_model *m) { lock_all(m, pf_rwlock_write); }

void pf_model_unlock(const peft_model *m)
{
    for (size_t i = 0; i < m->adapters; i++) pf_rwlock_unlock(&m->adapter[i]->lock);
    pf_rwlock_unlock((pf_rwlock *)(uintptr_t)&m->lock);
}

void pf_model_use(peft_model *m)
{
    pf_model_retain(m);
    pf_rwlock_read(&m->lock);                          /* waits for an attach or detach that has found users == 0 */
    atomic_fetch_add(&m->users, 1);
    pf_rwlock_unlock(&m->lock);
}

void pf_model_unuse(peft_model *m)
{
    atomic_fetch_sub(&m->users, 1);
    peft_model_free(m);
}
