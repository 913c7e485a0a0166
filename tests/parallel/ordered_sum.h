/* SPDX-License-Identifier: Apache-2.0
 * ordered_sum.h -- adds the arrays of several threads of one process ("ranks") in the order of the ranks. */
#ifndef ORDERED_SUM_H
#define ORDERED_SUM_H
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SUM_RANKS_MAX = 16 };
/* What the threads share. The caller sets ranks and makes the barrier for as many; sum is to be freed. */
typedef struct ordered_sum {
    pthread_barrier_t meet;
    int ranks;
    const void *mine[SUM_RANKS_MAX];
    int64_t passes[SUM_RANKS_MAX];
    float *sum;
} ordered_sum;
/* One thread's view of it: user of the functions for trainers. */
typedef struct member { ordered_sum *exchange; int rank; } member;

/* A peft_reduce_fn: x [count] becomes the sum of those of the ranks that have passes, *passes the sum of theirs. A rank
 * without passes is left out rather than added as 0, so that the sum has the bits of accumulation: -0 + 0 is 0. */
static inline int add_in_order(float *x, int64_t count, int64_t *passes, void *user)
{
    const member *s = user;
    ordered_sum *o = s->exchange;
    o->mine[s->rank] = x;
    o->passes[s->rank] = *passes;
    pthread_barrier_wait(&o->meet);
    if (!s->rank) {
        int first = 0;
        while (first < o->ranks - 1 && !o->passes[first]) first++;
        o->sum = realloc(o->sum, (size_t)count * sizeof *o->sum);
        memcpy(o->sum, o->mine[first], (size_t)count * sizeof *o->sum);
        for (int k = first + 1; k < o->ranks; k++) {
            const float *part = o->mine[k];
            for (int64_t i = 0; i < count && o->passes[k]; i++) o->sum[i] += part[i];
        }
    }
    pthread_barrier_wait(&o->meet);
    memcpy(x, o->sum, (size_t)count * sizeof *x);
    *passes = 0;
    for (int k = 0; k < o->ranks; k++) *passes += o->passes[k];
    pthread_barrier_wait(&o->meet);                        /* the next call overwrites the sum */
    return 0;
}
#endif
