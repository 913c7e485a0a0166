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

/* Leaves the communicator, unless the application has finalised MPI, and frees what m has. */
static void close_ranks(peft_mpi *m)
{
    int ended = 0;
    MPI_Finalized(&ended);
    if (m->comm != MPI_COMM_NULL && !ended) MPI_Comm_free(&m->comm);
    if (m->finalises && !ended) MPI_Finalize();
    for (attached *a = m->trainers, *next; a; a = next) {
        next = a->next;
        free(a);
    }
    free(m->piece);
    free(m->passes);
    free(m->lists);
}

/* Fills m by a duplicate of the communicator. */
static peft_status join(peft_mpi *m, MPI_Comm comm)
{
    peft_status s = rm_check(MPI_Comm_dup(comm, &m->comm), "duplicating the communicator");
    if (!s) s = rm_check(MPI_Comm_set_errhandler(m->comm, MPI_ERRORS_RETURN), "setting the error handler");
    if (!s) s = rm_check(MPI_Comm_rank(m->comm, &m->rank), "the number of this rank");
    if (!s) s = rm_check(MPI_Comm_size(m->comm, &m->ranks), "the number of ranks");
    return s;
}

/* Gets the memory of m. A rank that has none is an error of all. */
static peft_status allocate(peft_mpi *m, const peft_mpi *heap)
{
    const size_t n = (size_t)m->ranks, piece = (PIECE + n) * sizeof *m->piece;
    int first;                                         /* rank without memory; m->ranks: none */
    m->passes = calloc(n, sizeof *m->passes);
    m->lists = calloc(LISTS * n, sizeof *m->lists);
    if (m->ranks > 1) m->piece = malloc(piece);
    const int mine = heap && m->passes && m->lists && (m->piece || m->ranks == 1) ? m->ranks : m->rank;
    const peft_status s = rm_check(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, m->comm), "opening the ranks");
    if (s || first == m->ranks) return s;
    return rm_fail(PEFT_E_NOMEM, "rank %d: out of memory for sums of gradients (%zu bytes)", first, piece);
}

/* PEFT_E_STATE if this process was started as one of several, but its MPI library does not know of the others: each
 * would train and write all by itself. */
static peft_status check_launcher(void)
{
    static const char *const sizes[] = { "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS" };
    int world;
    const peft_status s = rm_check(MPI_Comm_size(MPI_COMM_WORLD, &world), "the number of processes");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && !s && world == 1; i++) {
        const char *size = getenv(sizes[i]);
        if (size && atoi(size) > 1)
            return rm_fail(PEFT_E_STATE, "started as one of %s processes (%s), but its MPI library knows of 1: give "
                           "the mpirun of the MPI that libpeft-mpi was built for, or srun --mpi with the interface "
                           "that it understands; unset %s if the processes are independent", size, sizes[i], sizes[i]);
    }
    return s;
}

/* Initialises MPI unless the application has done so. */
static peft_status initialise(peft_mpi *m, bool started)
{
    int level;
    if (started) return PEFT_OK;
    const peft_status s = rm_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level), "initialisation");
    m->finalises = !s;
    if (s || level >= MPI_THREAD_FUNNELED) return s;
    return rm_fail(PEFT_E_UNSUPPORTED, "this MPI library supports processes of one thread only (MPI_THREAD_SINGLE), "
                   "expected MPI_THREAD_FUNNELED; use one that was built with threads");
}

peft_status peft_mpi_open(const void *comm, peft_mpi **out)
{
    int started = 0, ended = 0;
    if (!out) return rm_fail(PEFT_E_INVALID, "out is NULL: expected a pointer");
    MPI_Initialized(&started);
    MPI_Finalized(&ended);
    if (ended) return rm_fail(PEFT_E_STATE, "MPI has been finalised; open the ranks before MPI_Finalize");
    if (!started && comm)
        return rm_fail(PEFT_E_STATE, "comm: MPI has not been initialised; call MPI_Init first, or pass NULL");
    peft_mpi m = { .comm = MPI_COMM_NULL }, *heap = malloc(sizeof *heap);
    peft_status s = initialise(&m, started);
    if (!s && !comm) s = check_launcher();
    if (!s) s = join(&m, comm ? *(const MPI_Comm *)comm : MPI_COMM_WORLD);
    if (!s) s = allocate(&m, heap);
    if (s) {
        close_ranks(&m);
        free(heap);
        return s;
    }
    *heap = m;
    *out = heap;
    return PEFT_OK;
}

void peft_mpi_free(peft_mpi *m)
{
    if (m) close_ranks(m);
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
    const struct { const char *name; int64_t value; } counts[] = {
        { "bytes_sent", m->bytes_sent }, { "sums", m->sums }, { "rounds", m->rounds } };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (strcmp(name, counts[i].name)) continue;
        *out = counts[i].value;
        return PEFT_OK;
    }
    return rm_fail(PEFT_E_NOTFOUND, "count '%.80s': expected bytes_sent, sums or rounds", name);
}
