/* SPDX-License-Identifier: Apache-2.0
 * thread_ranks.h -- ranks of peft_trainer_set_ranks as threads of one process: the function gather; the function sum is
 * add_in_order of ordered_sum.h. */
#ifndef THREAD_RANKS_H
#define THREAD_RANKS_H
#include "ordered_sum.h"

static inline int thread_gather(const void *mine, void *all, size_t bytes, void *user)
{
    const member *s = user;
    ordered_sum *x = s->exchange;
    x->mine[s->rank] = mine;
    pthread_barrier_wait(&x->meet);
    for (int k = 0; k < x->ranks; k++) memcpy((char *)all + (size_t)k * bytes, x->mine[k], bytes);
    pthread_barrier_wait(&x->meet);
    return 0;
}
#endif
