/* SPDX-License-Identifier: Apache-2.0
 * fold_scores.h -- predictions of training images by the trainings that held them out, with the epochs that these
 * trainings chose, in a file from which an interrupted run continues. */
#ifndef FOLD_SCORES_H
#define FOLD_SCORES_H
#include "folds.h"
#include <stdbool.h>
#include <stdint.h>

/* epoch [folds]: the epoch that the fold's training chose; 0: not trained yet. */
typedef struct fold_scores {
    int64_t folds, images, classes;
    int64_t *epoch;
    double *scores;                                           /* [images, classes] */
    char key[65];                                             /* what the trainings depend on */
} fold_scores;

/* Without a trained fold. settings: a text of all that the trainings depend on beside the images. */
fold_scores new_fold_scores(const peft_dataset *d, int64_t folds, const char *settings);
void        free_fold_scores(fold_scores *s);
/* Stores the scores [count of f->held, classes] of fold k. */
void        set_fold_scores(fold_scores *s, int64_t k, const fold *f, const double *scores, int64_t epoch);
/* Writes all trained folds; an error ends the program. */
void        write_fold_scores(const fold_scores *s, const char *path);
/* Reads the folds that an earlier run has trained; false: there is no file. The program ends if it is of another
 * training, or broken. epochs: the most that a fold may have chosen. */
bool        read_fold_scores(fold_scores *s, const char *path, int64_t epochs);
/* The median of the epochs; of an even number of folds the smaller of the two in the middle. */
int64_t     median_epoch(const fold_scores *s);
#endif
