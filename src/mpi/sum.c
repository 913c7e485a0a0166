/* SPDX-License-Identifier: Apache-2.0
 * sum.c -- adds the gradients of all ranks, in the order of the ranks. The gradient is cut into pieces of a fixed size,
 * and a piece into one part for each rank: the rank gets this part from all others and adds them, and all gather the
 * sums. */
#include "ranks.h"
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 20 };                              /* elements */

int rm_gather(const void *mine, void *all, size_t bytes, void *user)
{
    const peft_mpi *m = user;
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
    int *lists = calloc(4 * (size_t)m->ranks, sizeof *lists);
    if (!m->piece) m->piece = malloc(((size_t)PIECE + (size_t)m->ranks) * sizeof *m->piece);
    peft_status s = lists && m->piece ? PEFT_OK : rm_fail(PEFT_E_NOMEM, "sum of gradients: out of memory");
    if (!s) {
        parts p = { lists, lists + m->ranks, lists + 2 * m->ranks, lists + 3 * m->ranks };
        for (int64_t i = 0; i < count && !s; i += PIECE) {
            const int n = count - i < PIECE ? (int)(count - i) : PIECE;
            cut(m, n, &p);
            s = add_piece(m, x + i, n, &p);
        }
    }
    free(lists);
    return s;
}

int rm_sum(float *gradients, int64_t count, int64_t *passes, void *user)
{
    peft_mpi *m = user;
    if (rm_gather(passes, m->passes, sizeof *passes, m)) return 1;
    *passes = 0;
    for (int r = 0; r < m->ranks; r++) *passes += m->passes[r];
    m->sums++;
    return m->ranks > 1 && add_all(m, gradients, count);
}
