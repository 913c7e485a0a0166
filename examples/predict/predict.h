/* SPDX-License-Identifier: Apache-2.0
 * predict.h -- parts of program predict: the lines that it prints, and prediction with test-time adaptation. */
#ifndef PREDICT_H
#define PREDICT_H
#include "common/model/cases.h"
#include "common/model/loaded_model.h"
#include <stdbool.h>
#include <stdint.h>

/* --- lines.c --- */
void print_heading(const loaded_model *s, const char *first); /* of the CSV table; first: name of its first column */
/* Prints the line of a picture with the probabilities p [classes], as text or as a row of the CSV table. */
void print_line(const loaded_model *s, const char *path, const float *p, bool csv);

/* --- pictures.c --- */
/* The pictures at paths, or those of a data set. */
typedef struct pictures { char *const *path; peft_dataset *d; int count; } pictures;
/* data: path of a data set whose split (NULL: all images) is predicted, with the settings of a table; NULL: the pictures
 * at path [count]. The caller frees d. */
pictures    open_pictures(peft_context *ctx, const char *data, const char *split, const char *table, char *const *path,
                          int count);
const char *picture_name(const pictures *p, int i);
peft_status load_picture(peft_context *ctx, const pictures *p, int i, peft_image **out);

/* Takes the probabilities of pictures. With per_case it keeps them and prints the cases at the end. */
typedef struct results {
    const loaded_model *model;
    const pictures *pictures;
    bool csv;
    const char *per_case;                                     /* --per-case; NULL: a line for each picture */
    case_rule rule;
    double *scores;                                           /* [count, classes] with per_case */
    int *picture;                                             /* [count] */
    int64_t count;
} results;
void open_results(results *r, const loaded_model *s, const pictures *p, const char *per_case, bool csv);
void put_result(results *r, int picture, const float *p);     /* p [classes] */
void close_results(results *r);

/* --- adapted.c --- */
typedef struct adaptation {
    const char *kind;                                         /* with options, "tent,lr=0.01"; NULL: none */
    int64_t batch;                                            /* pictures in a call, unless kind has "batch" */
    const char *source, *table;                               /* path of training images; settings of a table */
    int64_t source_images;                                    /* how many are drawn of them; 0: all */
    uint64_t seed;
    const char *state;                                        /* path; NULL: none */
    bool resumed;                                             /* the state exists and is read */
} adaptation;
/* Predicts the pictures in order, in calls of a batch, each of which adapts to its pictures; those that cannot be read
 * are left out. Hands the results over after each call, and saves the state at the end or when the program is to stop.
 * Returns how many pictures failed. *done: how many were tried before a stop. */
int predict_adapting(loaded_model *s, const adaptation *a, const pictures *p, results *r, int *done);
#endif
