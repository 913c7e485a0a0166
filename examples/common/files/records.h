/* SPDX-License-Identifier: Apache-2.0
 * records.h -- the folder of records, which compare --records writes and report reads.
 *   study.csv            one property of the study a row: its name, then its values; compare_records.c lists them
 *   KEY-SEED-RUN.run.csv     the heading and the row of compare's CSV file
 *   KEY-SEED-RUN.curve.csv   epoch,loss,balanced_accuracy: the mean loss of its steps; empty where not judged
 *   KEY-SEED-RUN.test.csv    name,index,true, and a column a class: the probabilities of each test image; index and
 *                            true count from 0
 * KEY stands for an entry's label and settings, SEED is that of the draw. Files are written whole or not at all. */
#ifndef RECORDS_H
#define RECORDS_H
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

/* The figures of one run, in the order of the CSV file. */
#define RESULT_COLUMNS(X) \
    X(test_images) X(accuracy) X(balanced_accuracy) X(f1_macro) X(auroc_macro) X(map) X(loss) \
    X(trainable_parameters) X(steps) X(seconds_per_step) X(planned_bytes) X(peak_bytes) X(seconds)
#define RESULT_ID(name) result_##name,
enum { RESULT_COLUMNS(RESULT_ID) result_columns };
extern const char *const result_name[result_columns];
typedef struct result { double value[result_columns]; } result;      /* NaN: not defined for this data set */

/* kind: "run", "curve" or "test". */
enum { record_name_room = 64 };
static inline void record_name(char *text, const char *key, uint64_t draw_seed, int64_t run, const char *kind)
{
    snprintf(text, record_name_room, "%.16s-%" PRIu64 "-%" PRId64 ".%.8s.csv", key, draw_seed, run, kind);
}
#endif
