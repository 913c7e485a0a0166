/* SPDX-License-Identifier: Apache-2.0
 * share.c -- what ranks do together beside the sum of gradients: attaching trainers, training states, parts of a set,
 * rows of tensors, and statuses. */
#include "ranks.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static peft_status missing(const char *what) { return rm_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", what); }

/* What a rank that failed tells the others. */
typedef struct report { int status; char message[508]; } report;

peft_status peft_mpi_agree(peft_mpi *m, peft_status s)
{
    if (!m) return missing("mpi");
    int first;                                         /* rank that failed; m->ranks: none */
    const int mine = s ? m->rank : m->ranks;
    char own[1024] = "";                               /* the message of s, which MPI's errors would replace */
    if (s) snprintf(own, sizeof own, "%s", peft_last_error());
    peft_status of_all = rm_check(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, m->comm), "comparing statuses");
    if (!of_all && first < m->ranks) {
        report r = { .status = s };
        snprintf(r.message, sizeof r.message, "%.*s", (int)sizeof r.message - 1, own);
        of_all = rm_check(MPI_Bcast(&r, sizeof r, MPI_BYTE, first, m->comm), "getting the message of a rank");
        if (!of_all) of_all = rm_fail((peft_status)r.status, "rank %d: %s", first, r.message);
    }
    return s ? peft_set_error(s, own) : of_all;
}

peft_status peft_mpi_attach(peft_mpi *m, peft_trainer *t)
{
    if (!m) return missing("mpi");
    attached *a = malloc(sizeof *a);
    peft_status s = a ? PEFT_OK : rm_fail(PEFT_E_NOMEM, "trainer: out of memory");
    if (!s) {
        *a = (attached){ .m = m, .next = m->trainers };
        m->trainers = a;
        s = peft_trainer_get_int(t, "trainable_parameters", &a->gradients);
    }
    s = peft_mpi_agree(m, s);
    return s ? s : peft_trainer_set_ranks(t, m->rank, m->ranks, rm_gather, rm_sum, a);
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
    int *counts = m->lists, *firsts = m->lists + m->ranks;
    MPI_Datatype row;
    for (int r = 0; r < m->ranks; r++) {
        int64_t first, n;
        const peft_mpi other = { .rank = r, .ranks = m->ranks };
        peft_mpi_part(&other, count, &first, &n);
        counts[r] = (int)n;
        firsts[r] = (int)first;
    }
    peft_status s = rm_check(MPI_Type_contiguous(bytes, MPI_BYTE, &row), "the type of a row");
    if (s) return s;
    s = rm_check(MPI_Type_commit(&row), "the type of a row");
    if (!s) s = rm_check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, rows, counts, firsts, row, m->comm),
                         "gathering rows");
    MPI_Type_free(&row);
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
    int64_t of_rank_0[] = { count, bytes };
    peft_status s = !rows ? missing("rows") : PEFT_OK;
    if (!s && !size) s = rm_fail(PEFT_E_DTYPE, "rows: expected elements of f32, f64, i32 or i64");
    if (!s && (count < 1 || count > INT_MAX || bytes < 1 || bytes > INT_MAX))
        s = rm_fail(PEFT_E_SHAPE, "rows: given %lld rows of %lld bytes, expected 1 to %d of each", (long long)count,
                    (long long)bytes, INT_MAX);
    s = peft_mpi_agree(m, s);
    if (!s) s = rm_check(MPI_Bcast(of_rank_0, 2, MPI_INT64_T, 0, m->comm), "comparing rows");
    if (s) return s;
    if (count != of_rank_0[0] || bytes != of_rank_0[1])
        s = rm_fail(PEFT_E_MISMATCH, "rows: given %lld rows of %lld bytes, rank 0 has %lld of %lld; expected the same "
                    "in all ranks, such as the same test images", (long long)count, (long long)bytes,
                    (long long)of_rank_0[0], (long long)of_rank_0[1]);
    s = peft_mpi_agree(m, s);
    return s ? s : gather_rows(m, peft_tensor_data(rows), count, (int)bytes);
}
