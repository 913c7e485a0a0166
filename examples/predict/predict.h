/* SPDX-License-Identifier: Apache-2.0
 * predict.h -- parts of program predict: the lines that it prints, and prediction with test-time adaptation. */
#ifndef PREDICT_H
#define PREDICT_H
#include "common/model/loaded_model.h"
#include <stdbool.h>
#include <stdint.h>

/* --- lines.c --- */
void print_heading(const loaded_model *s);                    /* of the CSV table */
/* Prints the line of a picture with the probabilities p [classes], as text or as a row of the CSV table. */
void print_line(const loaded_model *s, const char *path, const float *p, bool csv);

/* --- adapted.c --- */
typedef struct adaptation {
    const char *kind;                                         /* with options, "tent,lr=0.01"; NULL: none */
    int64_t batch;                                            /* pictures in a call, unless kind has "batch" */
    const char *source;                                       /* path of training images; NULL: none */
    int64_t source_images;                                    /* how many are drawn of them; 0: all */
    uint64_t seed;
    const char *state;                                        /* path; NULL: none */
    bool resumed;                                             /* the state exists and is read */
    bool csv;
} adaptation;
/* Predicts the pictures in order, in calls of a batch, each of which adapts to its pictures; those that cannot be read
 * are left out. Prints the lines after each call, and saves the state at the end or when the program is to stop.
 * Returns how many pictures failed. *done: how many were tried before a stop. */
int predict_adapting(loaded_model *s, const adaptation *a, char *const *path, int count, int *done);
#endif
