/* SPDX-License-Identifier: Apache-2.0
 * mpi.h -- libpeft-mpi, the companion library by which the processes ("ranks") of an MPI communicator train one model
 * together. It is built where an MPI-3.1 library is found, and with that library only: programs are compiled and linked
 * for the same one. This header does not include <mpi.h>; a communicator is passed by its address.
 *
 * Every rank makes the same objects, from the same files, options and seed, and calls peft_mpi_attach. From then on
 * peft_trainer_fit and peft_trainer_step share the passes of each update (peft_trainer_set_ranks in trainer.h): any
 * number of ranks up to the option "accumulate" gives the bits of one process, with losses, counters and states. Calls
 * that all ranks must make together, in the same order, say so; if one fails in a rank, it fails in all. One thread of
 * a rank makes all of these calls. An error of MPI itself is PEFT_E_IO with MPI's message; the ranks can then not go on
 * together. */
#ifndef PEFT_MPI_H
#define PEFT_MPI_H
#include <peft/trainer.h>
PEFT_BEGIN_DECLS

typedef struct peft_mpi peft_mpi;

/* Joins the ranks of a communicator; all ranks call it. comm: the address of an MPI_Comm, which is duplicated; NULL:
 * MPI_COMM_WORLD. If MPI has not been initialised this does so (MPI_THREAD_FUNNELED), and peft_mpi_free then finalises
 * it; an application that initialises MPI asks for that level too, as ranks compute with several threads. The memory
 * for the calls below is allocated here: 4 MiB, and a few bytes for each rank. A process that no mpirun or srun started
 * is the only rank. PEFT_E_STATE: MPI has been finalised, or comm is given and MPI not initialised; with comm NULL also
 * if the process was started as one of several (OMPI_COMM_WORLD_SIZE, PMI_SIZE, SLURM_STEP_NUM_TASKS), of which this
 * MPI library does not know. PEFT_E_UNSUPPORTED: MPI without threads. PEFT_E_NOMEM: in all ranks, if one has none. */
PEFT_API PEFT_NODISCARD peft_status peft_mpi_open(const void *comm, peft_mpi **out);
/* All ranks call it, after the trainers that are attached have been freed, and before MPI_Finalize. After MPI_Finalize
 * it frees memory only. */
PEFT_API void    peft_mpi_free(peft_mpi *m);
PEFT_API int64_t peft_mpi_rank(const peft_mpi *m);                                   /* from 0 on; -1 for NULL */
PEFT_API int64_t peft_mpi_ranks(const peft_mpi *m);                                  /* 0 for NULL */
/* Ends all ranks of MPI_COMM_WORLD, for a rank that cannot go on (MPI_Abort): they would wait for it for ever. */
PEFT_API void    peft_mpi_abort(peft_mpi *m, int exit_status);

/* Makes t, a trainer of this rank, share its passes with those of the other ranks; all ranks call it, before
 * peft_trainer_restore. m must live as long as t. The gradients are added in the order of the ranks in pieces of fixed
 * size: for each, a rank gets one part from all others, adds, and sends the sum to all, so that it sends
 * 2 (ranks - 1) / ranks of the gradient's bytes in each round of passes. Errors as of peft_trainer_set_ranks. */
PEFT_API PEFT_NODISCARD peft_status peft_mpi_attach(peft_mpi *m, peft_trainer *t);
/* Rank 0 saves the state of its trainer, which is that of all ranks. All ranks call both; restore reads the file in
 * each rank, so that path must be on a file system that all see. The state may have been saved by another number of
 * ranks, or without MPI. */
PEFT_API PEFT_NODISCARD peft_status peft_mpi_save(peft_mpi *m, const peft_trainer *t, const char *path);
PEFT_API PEFT_NODISCARD peft_status peft_mpi_restore(peft_mpi *m, peft_trainer *t, const char *path);

/* The part of `count` things, such as the images of a test set, that belongs to this rank: *n from *first on. The parts
 * are in the order of the ranks and differ by at most one in size. */
PEFT_API void    peft_mpi_part(const peft_mpi *m, int64_t count, int64_t *first, int64_t *n);
/* All ranks call it: rows [count, ..], equal in shape and type, of which each rank has filled its part, get the parts
 * of all, in every rank. For example logits of a test set, of which each rank has predicted its images. PEFT_E_DTYPE:
 * not f32, f64, i32 or i64; PEFT_E_SHAPE: no rows; PEFT_E_MISMATCH: other rows than rank 0 has. */
PEFT_API PEFT_NODISCARD peft_status peft_mpi_gather_rows(peft_mpi *m, peft_tensor *rows);
/* All ranks call it. Each rank gives the status of its own work. PEFT_OK if all gave PEFT_OK. Otherwise a rank that
 * failed gets its own status, the others that of the first failed rank, with "rank 2: ..". */
PEFT_API PEFT_NODISCARD peft_status peft_mpi_agree(peft_mpi *m, peft_status s);
/* Copies bytes from rank `from` to rank `to`, or to all ranks for to = -1: for example a file whose length was passed
 * before. Sender and receivers call it, with the same from, to and size; in other ranks it does nothing. data [size]:
 * read in `from`, written in the receivers, not used if size is 0. PEFT_E_INVALID: a rank that is not there, a negative
 * size, data NULL. PEFT_E_MISMATCH, in all ranks that call it: their sizes differ; nothing was sent. */
PEFT_API PEFT_NODISCARD peft_status peft_mpi_pass(peft_mpi *m, int64_t from, int64_t to, void *data, int64_t size);
/* Counts by name: "bytes_sent" (bytes of gradients and running statistics that this rank has sent so far, and those of
 * peft_mpi_pass for each receiver), "rounds" (in which gradients were added), "sums" (these, and with batch norm a sum
 * of the running statistics at each update). PEFT_E_NOTFOUND: no such count. */
PEFT_API PEFT_NODISCARD peft_status peft_mpi_get_int(const peft_mpi *m, const char *name, int64_t *out);

PEFT_END_DECLS
#endif
