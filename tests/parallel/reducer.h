/* SPDX-License-Identifier: Apache-2.0
 * reducer.h -- a reducer for trainers that are ranks in threads of one process. */
#ifndef REDUCER_H
#define REDUCER_H
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS = 2 };
/* What the threads of all ranks share during a call of the reducer; member: one thread's view of it. */
typedef struct exchange {
    pthread_barrier_t meet;
    const float *gradients[RANKS];
    int64_t passes[RANKS];
    float *sum;
} exchange;
typedef struct member { exchange *exchange; int rank; } member;

/* The reducer (peft_trainer_set_reduce): adds the gradients of all ranks, rank 0 first; ranks without passes count as
 * 0. */
static inline int add_in_order(float *gradients, int64_t count, int64_t *passes, void *user)
{
    const member *s = user;
    exchange *x = s->exchange;
    x->gradients[s->rank] = gradients;
    x->passes[s->rank] = *passes;
    pthread_barrier_wait(&x->meet);
    if (!s->rank) {
        x->sum = realloc(x->sum, (size_t)count * sizeof *x->sum);
        memcpy(x->sum, x->gradients[0], (size_t)count * sizeof *x->sum);
        /* adds only gradients of ranks with passes, so that the sum has the bits of accumulation (-0 + 0 is not -0) */
        for (int k = 1; k < RANKS; k++)
            for (int64_t i = 0; i < count && x->passes[k]; i++)
                x->sum[i] = x->passes[0] ? x->sum[i] + x->gradients[k][i] : x->gradients[k][i];
    }
    pthread_barrier_wait(&x->meet);
    memcpy(gradients, x->sum, (size_t)count * sizeof *gradients);
    *passes = 0;
    for (int k = 0; k < RANKS; k++) *passes += x->passes[k];
    pthread_barrier_wait(&x->meet);                        /* the next call overwrites the sum */
    return 0;
}
#endif
