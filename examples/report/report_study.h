/* SPDX-License-Identifier: Apache-2.0
 * report_study.h -- a study as report reads it from a folder of records (records.h): its properties and finished
 * runs. */
#ifndef REPORT_STUDY_H
#define REPORT_STUDY_H
#include "common/files/records.h"
#include <stdbool.h>
#include <stdint.h>

/* A run trains one method once, on one draw: a random selection of the training images. */
typedef struct run {
    bool done;                                                /* all record files exist; else the results are not set */
    int64_t draw, number;                                     /* number of the draw; of the run on this draw; from 1 */
    uint64_t draw_seed;                                       /* of the draw */
    double value[result_columns];                             /* results, by result_accuracy and so on */
    int64_t epochs, images;                                   /* images: test images */
    double *loss, *balanced;                                  /* [epochs]: loss, balanced accuracy; NaN: no value */
    const char **name;                                        /* [images] */
    int64_t *label;                                           /* [images] */
    double *score;                                            /* [images, classes]: probabilities */
    char *text[3];                                            /* of the record files; name points into them */
} run;

typedef struct method {
    const char *label, *key, *settings;
    run *run;                                                 /* [study.runs] */
    int64_t done, epochs;                                     /* finished runs; most epochs of a run */
} method;

typedef struct study {
    const char *folder;
    char *text;                                               /* of study.csv; the strings below point into it */
    const char *(*property)[2];                               /* [properties]: name and value */
    const char **class_name;                                  /* [classes] */
    method *method;                                           /* [methods]: the entries of compare's list file */
    int64_t properties, classes, methods, runs;               /* runs: planned runs of each method */
} study;

study       read_study(const char *folder);
void        free_study(study *s);
const char *study_property(const study *s, const char *name); /* NULL: the study has no such property */
int64_t     study_integer(const study *s, const char *name);  /* a property that is a whole number; fails without it */

/* Result `column` (result_accuracy, ...) of all runs, [runs]; NaN for a run that is not done. To be freed. */
double *column_values(const study *s, const method *m, int column);
int64_t predicted_class(const study *s, const run *r, int64_t image); /* the most probable class */
const method *best_method(const study *s);                    /* by mean balanced accuracy; NULL: no finished run */
#endif
