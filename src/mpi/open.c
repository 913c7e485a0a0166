/* SPDX-License-Identifier: Apache-2.0
 * open.c -- joins and leaves a communicator, and its errors. */
#include "ranks.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

peft_status rm_fail(peft_status s, const char *format, ...)
{
    char message[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return peft_set_error(s, message);
}

peft_status rm_check(int returned, const char *what)
{
    char text[MPI_MAX_ERROR_STRING] = "unknown error";
    int length;
    if (returned == MPI_SUCCESS) return PEFT_OK;
    MPI_Error_string(returned, text, &length);
    return rm_fail(PEFT_E_IO, "MPI, %s: %s", what, text);
}

/* Fills m by a duplicate of the communicator. */
static peft_status join(peft_mpi *m, MPI_Comm comm)
{
    peft_status s = rm_check(MPI_Comm_dup(comm, &m->comm), "duplicating the communicator");
    if (!s) s = rm_check(MPI_Comm_set_errhandler(m->comm, MPI_ERRORS_RETURN), "setting the error handler");
    if (!s) s = rm_check(MPI_Comm_rank(m->comm, &m->rank), "the number of this rank");
    if (!s) s = rm_check(MPI_Comm_size(m->comm, &m->ranks), "the number of ranks");
    if (s) return s;
    m->passes = calloc((size_t)m->ranks, sizeof *m->passes);
    return m->passes ? PEFT_OK : rm_fail(PEFT_E_NOMEM, "ranks: out of memory");
}

peft_status peft_mpi_open(const void *comm, peft_mpi **out)
{
    int started = 0, ended = 0, level;
    if (!out) return rm_fail(PEFT_E_INVALID, "out is NULL: expected a pointer");
    MPI_Initialized(&started);
    MPI_Finalized(&ended);
    if (ended) return rm_fail(PEFT_E_STATE, "MPI has been finalised; open the ranks before MPI_Finalize");
    if (!started && comm)
        return rm_fail(PEFT_E_STATE, "comm: MPI has not been initialised; call MPI_Init first, or pass NULL");
    peft_mpi *m = calloc(1, sizeof *m);
    if (!m) return rm_fail(PEFT_E_NOMEM, "ranks: out of memory");
    m->comm = MPI_COMM_NULL;
    peft_status s = started ? PEFT_OK
                            : rm_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level), "initialisation");
    m->finalises = !started && !s;
    if (!s) s = join(m, comm ? *(const MPI_Comm *)comm : MPI_COMM_WORLD);
    if (s) peft_mpi_free(m);
    else *out = m;
    return s;
}

void peft_mpi_free(peft_mpi *m)
{
    if (!m) return;
    if (m->comm != MPI_COMM_NULL) MPI_Comm_free(&m->comm);
    if (m->finalises) MPI_Finalize();
    free(m->piece);
    free(m->passes);
    free(m);
}

int64_t peft_mpi_rank(const peft_mpi *m) { return m ? m->rank : -1; }
int64_t peft_mpi_ranks(const peft_mpi *m) { return m ? m->ranks : 0; }

void peft_mpi_abort(peft_mpi *m, int exit_status)
{
    (void)m;
    MPI_Abort(MPI_COMM_WORLD, exit_status);
}

peft_status peft_mpi_get_int(const peft_mpi *m, const char *name, int64_t *out)
{
    if (!m || !name || !out) return rm_fail(PEFT_E_INVALID, "%s is NULL", !m ? "mpi" : !name ? "name" : "out");
    const bool bytes = !strcmp(name, "bytes_sent");
    if (!bytes && strcmp(name, "sums"))
        return rm_fail(PEFT_E_NOTFOUND, "count '%.80s': expected bytes_sent or sums", name);
    *out = bytes ? m->bytes_sent : m->sums;
    return PEFT_OK;
}
