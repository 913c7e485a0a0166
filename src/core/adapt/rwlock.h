/* SPDX-License-Identifier: Apache-2.0
 * rwlock.h -- a reader-writer lock for the values of an adapter, or for what can change in a model: many threads read
 * at once, or one writes. It is fair: threads get it in the order in which they asked, so that training (which writes)
 * is not kept waiting by predictions that follow each other closely. Threads that take several locks use
 * core/model/locks.h, which keeps them in one order. */
#ifndef PF_RWLOCK_H
#define PF_RWLOCK_H
#include <pthread.h>
#include "core/base/error.h"

typedef struct pf_rwlock { pthread_mutex_t queue; pthread_rwlock_t lock; } pf_rwlock;
peft_status pf_rwlock_init(pf_rwlock *l, const char *owner);           /* owner: names the lock in the error message */
void        pf_rwlock_destroy(pf_rwlock *l);
void        pf_rwlock_read(pf_rwlock *l);
void        pf_rwlock_write(pf_rwlock *l);
void        pf_rwlock_unlock(pf_rwlock *l);
#endif
