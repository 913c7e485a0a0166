/* SPDX-License-Identifier: Apache-2.0
 * rwlock.c -- see rwlock.h. A thread holds the mutex `queue` while it waits for the lock, so that those that come after
 * it wait for the mutex and cannot overtake it. */
#include "core/adapt/rwlock.h"

peft_status pf_rwlock_init(pf_rwlock *l, const char *owner)
{
    if (pthread_mutex_init(&l->queue, NULL))
        return pf_fail(PEFT_E_NOMEM, "%s: the system cannot create another lock", owner);
    if (!pthread_rwlock_init(&l->lock, NULL)) return PEFT_OK;
    pthread_mutex_destroy(&l->queue);
    return pf_fail(PEFT_E_NOMEM, "%s: the system cannot create another lock", owner);
}

void pf_rwlock_destroy(pf_rwlock *l)
{
    pthread_rwlock_destroy(&l->lock);
    pthread_mutex_destroy(&l->queue);
}

void pf_rwlock_read(pf_rwlock *l)
{
    pthread_mutex_lock(&l->queue);
    pthread_rwlock_rdlock(&l->lock);
    pthread_mutex_unlock(&l->queue);
}

void pf_rwlock_write(pf_rwlock *l)
{
    pthread_mutex_lock(&l->queue);
    pthread_rwlock_wrlock(&l->lock);
    pthread_mutex_unlock(&l->queue);
}

void pf_rwlock_unlock(pf_rwlock *l) { pthread_rwlock_unlock(&l->lock); }
