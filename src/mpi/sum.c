/* SPDX-License-Identifier: Apache-2.0
 * sum.c -- adds the gradients of all ranks, in the order of the ranks. The gradient is cut into pieces of a fixed size,
 * and a piece into one part for each rank: the rank gets this part from all others and adds them, and all gather the
 * sums. */
#include "ranks.h"
#include <fenv.h>
#include <string.h>

int rm_gather(const void *mine, void *all, size_t bytes, void *user)
{
    const peft_mpi *m = ((const attached *)user)->m;
    return rm_check(MPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, m->comm),
                    "gathering what each rank has done") != PEFT_OK;
}

/* The parts of n elements: of rank r those from first[r] on, count[r] of them. own: how often this rank's count stands
 * in `stride`, the layout of the parts that it gets. */
typedef struct parts { int *first, *count, *own, *stride; } parts;

static void cut(const peft_mpi *m, int n, parts *p)
{
    int64_t first, count;
    for (int r = 0; r < m->ranks; r++) {
        first = (int64_t)n * r / m->ranks;
        count = (int64_t)n * (r + 1) / m->ranks - first;
        p->first[r] = (int)first;
        p->count[r] = (int)count;
    }
    for (int r = 0; r < m->ranks; r++) {
        p->own[r] = p->count[m->rank];
        p->stride[r] = r * p->own[r];
    }
}

/* Writes the sum of the parts of the ranks that have passes to `to`. */
static void add_parts(const peft_mpi *m, float *to, int n)
{
    bool first = true;
    for (int r = 0; r < m->ranks; r++) {
        const float *part = m->piece + (size_t)r * (size_t)n;
        if (!m->passes[r]) continue;
        if (first) memcpy(to, part, (size_t)n * sizeof *to);
        else for (int i = 0; i < n; i++) to[i] += part[i];
        first = false;
    }
}

static peft_status add_piece(peft_mpi *m, float *x, int n, parts *p)
{
    const int own = p->count[m->rank];
    const peft_status s = rm_check(MPI_Alltoallv(x, p->count, p->first, MPI_FLOAT, m->piece, p->own, p->stride,
                                                 MPI_FLOAT, m->comm), "exchanging gradients");
    if (s) return s;
    add_parts(m, x + p->first[m->rank], own);
    m->bytes_sent += ((int64_t)(n - own) + (int64_t)own * (m->ranks - 1)) * (int64_t)sizeof *x;
    return rm_check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, x, p->count, p->first, MPI_FLOAT, m->comm),
                    "gathering sums of gradients");
}

static peft_status add_all(peft_mpi *m, float *x, int64_t count)
{
    parts p = { m->lists, m->lists + m->ranks, m->lists + 2 * m->ranks, m->lists + 3 * m->ranks };
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < count && !s; i += PIECE) {
        const int n = count - i < PIECE ? (int)(count - i) : PIECE;
        cut(m, n, &p);
        s = add_piece(m, x + i, n, &p);
    }
    return s;
}

int rm_sum(float *gradients, int64_t count, int64_t *passes, void *user)
{
    const attached *a = user;
    peft_mpi *m = a->m;
    fenv_t callers;
    if (rm_gather(passes, m->passes, sizeof *passes, user)) return 1;
    *passes = 0;
    for (int r = 0; r < m->ranks; r++) *passes += m->passes[r];
    m->sums++;
    m->rounds += count == a->gradients;
    if (m->ranks == 1) return 0;
    /* The application may round otherwise or flush subnormal numbers, in some ranks alone: additions are those of the
     * library's kernels. */
    fegetenv(&callers);
    fesetenv(FE_DFL_ENV);
    const peft_status s = add_all(m, gradients, count);
    fesetenv(&callers);
    return s != PEFT_OK;
}
