/* SPDX-License-Identifier: Apache-2.0
 * pass.c -- copies bytes from a rank to another or to all. */
#include "ranks.h"

enum { LARGEST = 1 << 30, TO_ALL = -1, TAG = 0 };         /* LARGEST: bytes that an MPI function takes at a time */

static peft_status pass_some(const peft_mpi *m, int from, int to, void *data, int size)
{
    if (to < 0) return rm_check(MPI_Bcast(data, size, MPI_BYTE, from, m->comm), "passing bytes to all ranks");
    if (m->rank == from) return rm_check(MPI_Send(data, size, MPI_BYTE, to, TAG, m->comm), "sending bytes");
    return rm_check(MPI_Recv(data, size, MPI_BYTE, from, TAG, m->comm, MPI_STATUS_IGNORE), "receiving bytes");
}

/* Called by sender and receiver before the bytes are sent. PEFT_E_MISMATCH in both: their sizes differ. */
static peft_status compare_two(const peft_mpi *m, int from, int to, int64_t size)
{
    const int other = m->rank == from ? to : from;
    int64_t theirs = size;
    const peft_status s = rm_check(MPI_Sendrecv(&size, 1, MPI_INT64_T, other, TAG, &theirs, 1, MPI_INT64_T, other, TAG,
                                                m->comm, MPI_STATUS_IGNORE), "comparing sizes");
    if (s || theirs == size) return s;
    return rm_fail(PEFT_E_MISMATCH, "size: rank %d sends %lld bytes, rank %d expects %lld; pass the same size in both",
                   from, (long long)(m->rank == from ? size : theirs), to,
                   (long long)(m->rank == from ? theirs : size));
}

/* A status of all ranks: PEFT_E_MISMATCH if one of them expects another size than rank `from` sends. */
static peft_status compare_sizes(peft_mpi *m, int from, int64_t size)
{
    int64_t sent = size;
    peft_status s = rm_check(MPI_Bcast(&sent, 1, MPI_INT64_T, from, m->comm), "comparing sizes");
    if (s) return s;
    if (sent != size)
        s = rm_fail(PEFT_E_MISMATCH, "size: given %lld, rank %d sends %lld bytes; pass the same size in all ranks",
                    (long long)size, from, (long long)sent);
    return peft_mpi_agree(m, s);
}

peft_status peft_mpi_pass(peft_mpi *m, int64_t from, int64_t to, void *data, int64_t size)
{
    if (!m || (!data && size > 0))
        return rm_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "data" : "mpi");
    if (from < 0 || from >= m->ranks || to < TO_ALL || to >= m->ranks || size < 0)
        return rm_fail(PEFT_E_INVALID, "given %lld bytes from rank %lld to rank %lld, expected 0 or more bytes, ranks "
                       "from 0 to %d, or -1 for all that receive", (long long)size, (long long)from, (long long)to,
                       m->ranks - 1);
    if (from == to || (to != TO_ALL && m->rank != from && m->rank != to)) return PEFT_OK;
    peft_status s = to == TO_ALL ? compare_sizes(m, (int)from, size) : compare_two(m, (int)from, (int)to, size);
    for (int64_t at = 0; at < size && !s; at += LARGEST) {
        const int n = size - at < LARGEST ? (int)(size - at) : LARGEST;
        s = pass_some(m, (int)from, (int)to, (char *)data + at, n);
    }
    if (!s && m->rank == from) m->bytes_sent += size * (to == TO_ALL ? m->ranks - 1 : 1);
    return s;
}
