/* SPDX-License-Identifier: Apache-2.0
 * share.c -- what ranks do together beside the sum of gradients: attaching trainers, training states, parts of a set,
 * rows of tensors, bytes, and statuses. */
#include "ranks.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* What a rank tells the others in peft_mpi_agree. */
typedef struct report { int status; char message[508]; } report;

static peft_status missing(const char *what) { return rm_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", what); }

peft_status peft_mpi_agree(peft_mpi *m, peft_status s)
{
    if (!m) return missing("mpi");
    report mine = { .status = s }, *all = calloc((size_t)m->ranks, sizeof *all);
    if (!all) return rm_fail(PEFT_E_NOMEM, "statuses of the ranks: out of memory");
    char own[1024] = "";                               /* the message of s, which MPI's errors would replace */
    if (s) snprintf(own, sizeof own, "%s", peft_last_error());
    snprintf(mine.message, sizeof mine.message, "%.*s", (int)sizeof mine.message - 1, own);
    peft_status of_all = rm_gather(&mine, all, sizeof mine, m) ? PEFT_E_IO : PEFT_OK;
    for (int r = 0; r < m->ranks && !of_all; r++)
        if (all[r].status) of_all = rm_fail((peft_status)all[r].status, "rank %d: %s", r, all[r].message);
    free(all);
    return s ? peft_set_error(s, own) : of_all;
}

peft_status peft_mpi_attach(peft_mpi *m, peft_trainer *t)
{
    if (!m) return missing("mpi");
    return peft_trainer_set_ranks(t, m->rank, m->ranks, rm_gather, rm_sum, m);
}

peft_status peft_mpi_save(peft_mpi *m, const peft_trainer *t, const char *path)
{
    return m ? peft_mpi_agree(m, m->rank ? PEFT_OK : peft_trainer_save(t, path)) : missing("mpi");
}

peft_status peft_mpi_restore(peft_mpi *m, peft_trainer *t, const char *path)
{
    return m ? peft_mpi_agree(m, peft_trainer_restore(t, path)) : missing("mpi");
}

void peft_mpi_part(const peft_mpi *m, int64_t count, int64_t *first, int64_t *n)
{
    const int64_t rank = m ? m->rank : 0, ranks = m ? m->ranks : 1, least = count / ranks, more = count % ranks;
    *first = rank * least + (rank < more ? rank : more);
    *n = least + (rank < more);
}

/* Gathers rows of `bytes` bytes. */
static peft_status gather_rows(const peft_mpi *m, void *rows, int64_t count, int bytes)
{
    int *counts = calloc(2 * (size_t)m->ranks, sizeof *counts), *firsts = counts ? counts + m->ranks : NULL;
    MPI_Datatype row;
    if (!counts) return rm_fail(PEFT_E_NOMEM, "rows: out of memory");
    for (int r = 0; r < m->ranks; r++) {
        int64_t first, n;
        const peft_mpi other = { .rank = r, .ranks = m->ranks };
        peft_mpi_part(&other, count, &first, &n);
        counts[r] = (int)n;
        firsts[r] = (int)first;
    }
    peft_status s = rm_check(MPI_Type_contiguous(bytes, MPI_BYTE, &row), "the type of a row");
    if (!s) {
        s = rm_check(MPI_Type_commit(&row), "the type of a row");
        if (!s) s = rm_check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, rows, counts, firsts, row, m->comm),
                             "gathering rows");
        MPI_Type_free(&row);
    }
    free(counts);
    return s;
}

/* The bytes of an element, 0: of a type that has no rows. */
static int64_t element_bytes(peft_dtype type)
{
    switch (type) {
    case PEFT_F32: case PEFT_I32: return 4;
    case PEFT_F64: case PEFT_I64: return 8;
    default: return 0;
    }
}

peft_status peft_mpi_gather_rows(peft_mpi *m, peft_tensor *rows)
{
    if (!m) return missing("mpi");
    const int64_t count = peft_tensor_dim(rows, 0), size = element_bytes(peft_tensor_dtype(rows)),
        bytes = count > 0 ? peft_tensor_count(rows) / count * size : 0;
    peft_status s = !rows ? missing("rows") : PEFT_OK;
    if (!s && !size) s = rm_fail(PEFT_E_DTYPE, "rows: expected elements of f32, f64, i32 or i64");
    if (!s && (count < 1 || count > INT_MAX || bytes < 1 || bytes > INT_MAX))
        s = rm_fail(PEFT_E_SHAPE, "rows: given %lld rows of %lld bytes, expected 1 to %d of each", (long long)count,
                    (long long)bytes, INT_MAX);
    s = peft_mpi_agree(m, s);
    return s ? s : gather_rows(m, peft_tensor_data(rows), count, (int)bytes);
}

/* peft_mpi_pass for as many bytes as an MPI function takes. */
static peft_status pass_some(const peft_mpi *m, int from, int to, void *data, int size)
{
    enum { TAG = 0 };
    if (to < 0) return rm_check(MPI_Bcast(data, size, MPI_BYTE, from, m->comm), "passing bytes to all ranks");
    return m->rank == from ? rm_check(MPI_Send(data, size, MPI_BYTE, to, TAG, m->comm), "sending bytes")
                           : rm_check(MPI_Recv(data, size, MPI_BYTE, from, TAG, m->comm, MPI_STATUS_IGNORE),
                                      "receiving bytes");
}

peft_status peft_mpi_pass(peft_mpi *m, int64_t from, int64_t to, void *data, int64_t size)
{
    enum { LARGEST = 1 << 30, TO_ALL = -1 };
    if (!m) return missing("mpi");
    if (from < 0 || from >= m->ranks || to < TO_ALL || to >= m->ranks || size < 0)
        return rm_fail(PEFT_E_INVALID, "given %lld bytes from rank %lld to rank %lld, expected 0 or more bytes, ranks "
                       "from 0 to %d, or -1 for all that receive", (long long)size, (long long)from, (long long)to,
                       m->ranks - 1);
    if (!data && size) return missing("data");
    if (from == to || (to != TO_ALL && m->rank != from && m->rank != to)) return PEFT_OK;
    for (int64_t at = 0; at < size; at += LARGEST) {
        const int n = size - at < LARGEST ? (int)(size - at) : LARGEST;
        const peft_status s = pass_some(m, (int)from, (int)to, (char *)data + at, n);
        if (s) return s;
    }
    if (m->rank == from) m->bytes_sent += size * (to == TO_ALL ? m->ranks - 1 : 1);
    return PEFT_OK;
}
