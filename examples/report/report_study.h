/* SPDX-License-Identifier: Apache-2.0
 * report_study.h -- what report reads from a folder of records: the study's facts, and its runs as far as they are
 * done. */
#ifndef REPORT_STUDY_H
#define REPORT_STUDY_H
#include "common/files/records.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct run {
    bool done;                                                /* else nothing below is set */
    int64_t draw, number;                                     /* from 1 */
    uint64_t draw_seed;
    double value[result_columns];
    int64_t epochs, images;
    double *loss, *balanced;                                  /* [epochs]; NaN: none */
    const char **name;                                        /* [images] */
    int64_t *label;                                           /* [images] */
    double *score;                                            /* [images, classes] */
    char *text[3];                                            /* of the files, which name points into */
} run;

typedef struct method {
    const char *label, *key, *settings;
    run *run;                                                 /* [study.runs] */
    int64_t done, epochs;                                     /* of its runs; the largest number */
} method;

typedef struct study {
    const char *folder;
    char *text;                                               /* of study.csv, which everything named points into */
    const char *(*fact)[2];                                   /* [facts] a name and a value */
    const char **class_name;
    method *method;
    int64_t facts, classes, methods, runs;                    /* runs: those planned of each method */
} study;

study       read_study(const char *folder);
void        free_study(study *s);
const char *fact(const study *s, const char *name);           /* NULL: not there */
int64_t     count_fact(const study *s, const char *name);     /* a whole number that must be there */

double *column(const study *s, const method *m, int c);       /* [runs], NaN for those not done; to be freed */
int64_t decide(const study *s, const run *r, int64_t image);  /* the most probable class */
const method *best_method(const study *s);                    /* by mean balanced accuracy; NULL: no run is done */
#endif
