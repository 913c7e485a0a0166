/* SPDX-License-Identifier: Apache-2.0
 * ranks.h -- the functions of a program that several processes ("ranks") run together: all do the same, and share the
 * passes of trainings and predictions, or the trainings; rank 0 alone prints and writes. A program for one process
 * leaves them NULL. */
#ifndef RANKS_H
#define RANKS_H
#include <peft/peft.h>
#include <stdbool.h>

typedef struct rank_functions {
    int64_t rank, count;                                      /* set by join; 0 and 1 for one process */
    /* Joins the ranks. paths [count]: the paths of output files (NULL entries are left out). In other ranks than rank 0
     * they are replaced by paths in a folder of their own, with copies of the files that begin with the same names. */
    void (*join)(const char **const *paths, int count);
    void (*share)(peft_trainer *t);                           /* makes a trainer that of a rank */
    /* The images [*first, *first + *n) of `count` that this rank predicts. */
    void (*part)(int64_t count, int64_t *first, int64_t *n);
    /* Fills the other parts of scores [count, classes]. complete: this rank's part is done. False: a part is not. */
    bool (*gather)(peft_context *ctx, double *scores, int64_t count, int64_t classes, bool complete);
    /* Each rank gives the status of what it has done; an error of one is an error of all, with its message. */
    peft_status (*agree)(peft_status s);
    /* Copies bytes, data [size], from one rank to another, or to all for to = -1; other ranks may call it too. */
    void (*pass)(int64_t from, int64_t to, void *data, int64_t size);
    /* After a training that failed in all ranks: leaves the messages, and what is saved, to rank 0. */
    void (*failed)(void);
    void (*leave)(void);                                      /* at the end of a run without errors */
} rank_functions;
extern rank_functions ranks;

#endif
