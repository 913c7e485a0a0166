/* SPDX-License-Identifier: Apache-2.0
 * guard.c -- see guard.h. Whoever waits for the lock keeps the turn, so that nobody overtakes. */
#include "core/adapt/guard.h"

peft_status pf_guard_init(pf_guard *g, const char *what)
{
    if (pthread_mutex_init(&g->turn, NULL)) return pf_fail(PEFT_E_NOMEM, "%s: the system has no lock left", what);
    if (!pthread_rwlock_init(&g->lock, NULL)) return PEFT_OK;
    pthread_mutex_destroy(&g->turn);
    return pf_fail(PEFT_E_NOMEM, "%s: the system has no lock left", what);
}

void pf_guard_end(pf_guard *g)
{
    pthread_rwlock_destroy(&g->lock);
    pthread_mutex_destroy(&g->turn);
}

void pf_guard_read(pf_guard *g)
{
    pthread_mutex_lock(&g->turn);
    pthread_rwlock_rdlock(&g->lock);
    pthread_mutex_unlock(&g->turn);
}

void pf_guard_write(pf_guard *g)
{
    pthread_mutex_lock(&g->turn);
    pthread_rwlock_wrlock(&g->lock);
    pthread_mutex_unlock(&g->turn);
}

void pf_guard_done(pf_guard *g) { pthread_rwlock_unlock(&g->lock); }
