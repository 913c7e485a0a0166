/* SPDX-License-Identifier: Apache-2.0
 * thread_ranks.h -- ranks of peft_trainer_set_ranks as threads of one process: the functions gather and sum. */
#ifndef THREAD_RANKS_H
#define THREAD_RANKS_H
#include <pthread.h>
#include "tiny.h"

enum { MOST_RANKS = 4 };
/* What the threads of all ranks share; member: one thread's view of it. */
typedef struct exchange {
    pthread_barrier_t meet;
    int ranks;
    const void *mine[MOST_RANKS];
    int64_t passes[MOST_RANKS];
    float *sum;
} exchange;
typedef struct member { exchange *exchange; int rank; } member;

static inline int thread_gather(const void *mine, void *all, size_t bytes, void *user)
{
    const member *s = user;
    exchange *x = s->exchange;
    x->mine[s->rank] = mine;
    pthread_barrier_wait(&x->meet);
    for (int k = 0; k < x->ranks; k++) memcpy((char *)all + (size_t)k * bytes, x->mine[k], bytes);
    pthread_barrier_wait(&x->meet);
    return 0;
}

static inline int thread_sum(float *gradients, int64_t count, int64_t *passes, void *user)
{
    const member *s = user;
    exchange *x = s->exchange;
    x->mine[s->rank] = gradients;
    x->passes[s->rank] = *passes;
    pthread_barrier_wait(&x->meet);
    if (!s->rank) {
        bool first = true;
        x->sum = realloc(x->sum, (size_t)count * sizeof *x->sum);
        for (int k = 0; k < x->ranks; k++) {
            const float *g = x->mine[k];
            if (!x->passes[k]) continue;
            for (int64_t i = 0; i < count; i++) x->sum[i] = first ? g[i] : x->sum[i] + g[i];
            first = false;
        }
    }
    pthread_barrier_wait(&x->meet);
    memcpy(gradients, x->sum, (size_t)count * sizeof *gradients);
    *passes = 0;
    for (int k = 0; k < x->ranks; k++) *passes += x->passes[k];
    pthread_barrier_wait(&x->meet);                        /* the next call overwrites the sum */
    return 0;
}
#endif
