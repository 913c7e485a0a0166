/* SPDX-License-Identifier: Apache-2.0
 * guard.h -- the lock of an adapter's values, or of a model's own: many threads may read them at once, one may change
 * them while nobody reads. Who comes first goes first: predictions that follow each other closely do not keep training
 * waiting for ever. A thread that takes several guards takes them in the order of model/locks.h. */
#ifndef PF_GUARD_H
#define PF_GUARD_H
#include <pthread.h>
#include "core/base/error.h"

typedef struct pf_guard { pthread_mutex_t turn; pthread_rwlock_t lock; } pf_guard;
peft_status pf_guard_init(pf_guard *g, const char *what);              /* what: for the message */
void        pf_guard_end(pf_guard *g);
void        pf_guard_read(pf_guard *g);
void        pf_guard_write(pf_guard *g);
void        pf_guard_done(pf_guard *g);
#endif
