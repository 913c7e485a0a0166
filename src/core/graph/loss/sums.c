/* SPDX-License-Identifier: Apache-2.0
 * sums.c -- loops over the rows of a loss, which a map of 512 x 512 pixels has half a million of for two images. Rows
 * are divided into chunks; threads take chunks, each has sums of its own, and the sums are added in the order of the
 * rows. With up to CHUNK rows that is the order of a plain loop. */
#include <string.h>
#include "core/graph/exec.h"
#include "core/graph/loss/loss.h"

enum { CHUNK = 4096, LINE = 16 };     /* rows; numbers from one thread's memory to the next, on other cache lines */

typedef struct pass {
    int64_t rows, chunks, room;    /* of a group, which is a sample or all of them; room for the sums of a chunk */
    pf_loss_chunk fn;
    void *arg;
    double *sum, *row;             /* [groups, chunks, room], NULL: no sums; [threads, row_room] */
    int64_t row_room;
} pass;

static int64_t groups(const pf_loss *loss, const pf_loss_rows *r) { return loss->kind->by_sample ? r->samples : 1; }

static int64_t whole_lines(int64_t count) { return (count + LINE - 1) / LINE * LINE; }

static pass begin(const pf_loss *loss, const pf_loss_rows *r, pf_loss_chunk fn, void *arg)
{
    const int64_t rows = r->rows / groups(loss, r);
    return (pass){ .rows = rows, .chunks = (rows + CHUNK - 1) / CHUNK, .fn = fn, .arg = arg,
                   .room = whole_lines(loss->kind->sums + loss->kind->class_sums * r->classes), .row = r->scratch,
                   .row_room = whole_lines(r->classes) };
}

static int64_t all_sums(const pf_loss *loss, const pf_loss_rows *r, const pass *p)
{
    return groups(loss, r) * p->chunks * p->room;
}

static int threads_of(const pf_loss_rows *r) { return r->run ? r->run->threads : 1; }

size_t pf_loss_scratch(const pf_loss *loss, const pf_loss_rows *r, int threads)
{
    const pass p = begin(loss, r, NULL, NULL);
    return (size_t)(threads * p.row_room + all_sums(loss, r, &p)) * sizeof(double);
}

int64_t pf_loss_stride(const pf_loss *loss, const pf_loss_rows *r)
{
    const pass p = begin(loss, r, NULL, NULL);
    return p.chunks * p.room;
}

static void run_chunk(void *arg, int64_t task, int worker)
{
    const pass *p = arg;
    const int64_t first = task / p->chunks * p->rows, at = task % p->chunks * CHUNK;
    const int64_t end = at + CHUNK < p->rows ? at + CHUNK : p->rows;
    p->fn(p->arg, first + at, first + end, p->sum ? p->sum + task * p->room : NULL, p->row + worker * p->row_room);
}

void pf_loss_each(const pf_loss *loss, const pf_loss_rows *r, pf_loss_chunk fn, void *arg)
{
    pass p = begin(loss, r, fn, arg);
    pk_pool_run(r->run ? r->run->pool : NULL, groups(loss, r) * p.chunks, run_chunk, &p);
}

double *pf_loss_sum(const pf_loss *loss, const pf_loss_rows *r, pf_loss_chunk fn, void *arg)
{
    pass p = begin(loss, r, fn, arg);
    const int64_t n = groups(loss, r);
    p.sum = p.row + threads_of(r) * p.row_room;
    memset(p.sum, 0, (size_t)all_sums(loss, r, &p) * sizeof(double));
    pk_pool_run(r->run ? r->run->pool : NULL, n * p.chunks, run_chunk, &p);
    for (int64_t i = 0; i < n; i++) {
        double *all = p.sum + i * p.chunks * p.room;
        for (int64_t k = p.room; k < p.chunks * p.room; k++) all[k % p.room] += all[k];
    }
    return p.sum;
}
