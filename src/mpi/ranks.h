/* SPDX-License-Identifier: Apache-2.0
 * ranks.h -- the handle of libpeft-mpi, and what its files share. */
#ifndef RANKS_H
#define RANKS_H
#include <mpi.h>
#include <peft/mpi.h>
#include <stdbool.h>

typedef struct attached attached;
struct peft_mpi {
    MPI_Comm comm;                                     /* a duplicate, whose calls return errors */
    int rank, ranks;
    bool finalises;                                    /* peft_mpi_open has initialised MPI */
    int64_t bytes_sent, sums, rounds;
    /* All memory that the calls of several ranks need, from peft_mpi_open on: a rank that had none later would leave
     * the others waiting. */
    float *piece;                                      /* of sum.c: the parts of all ranks; NULL for one rank */
    int64_t *passes;                                   /* [ranks] */
    int *lists;                                        /* [LISTS * ranks] */
    attached *trainers;                                /* a list */
};
enum { LISTS = 4, PIECE = 1 << 20 };                   /* PIECE: elements of a gradient that are added at a time */

/* A trainer of this rank. gradients: the elements of its gradient. */
struct attached { peft_mpi *m; int64_t gradients; attached *next; };

/* Sets the message of peft_last_error(); returns s. */
__attribute__((format(printf, 2, 3))) peft_status rm_fail(peft_status s, const char *format, ...);
/* PEFT_OK if an MPI function returned MPI_SUCCESS; else PEFT_E_IO with MPI's message. what: what it was called for. */
peft_status rm_check(int returned, const char *what);
/* sum.c: the functions gather and sum of peft_trainer_set_ranks; user is the attached trainer. */
int rm_gather(const void *mine, void *all, size_t bytes, void *user);
int rm_sum(float *gradients, int64_t count, int64_t *passes, void *user);
#endif
