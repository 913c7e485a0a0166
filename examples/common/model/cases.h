/* SPDX-License-Identifier: Apache-2.0
 * cases.h -- predictions of cases: a case is a study or volume with several images (slices), whose probabilities are
 * aggregated to one prediction. */
#ifndef CASES_H
#define CASES_H
#include <peft/io.h>
#include <stdbool.h>
#include <stdint.h>

/* CASE_MEAN: the mean of the images' probabilities, class by class. CASE_MAX: their maximum; with one label for each
 * image divided by the sum over the classes, so that the numbers are probabilities again. */
typedef enum case_rule { CASE_MEAN, CASE_MAX } case_rule;
/* The row of --per-case in a program's table of flags (flags/flags.h). */
#define CASE_FLAG(X) \
    X(per_case, "mean|max", NULL, "aggregate the probabilities of a case's images (the table's column study)")
case_rule parse_case_rule(const char *text);                  /* of --per-case; another text ends the program */

/* Cases in the order of their first images. */
typedef struct case_list {
    int64_t count;
    int64_t *of;                                              /* [images]: the number of its case */
    int64_t *first, *images;                                  /* [count]: its first image; how many it has */
} case_list;
/* Images with equal names are of one case; NULL: a case of its own. */
case_list find_cases(const char *const *name, int64_t images);
case_list cases_of(const peft_dataset *d);
void      free_cases(case_list *c);
/* The probabilities of all cases, [count, classes], of those of the images, [images, classes]; to be freed. */
double *aggregate_cases(const case_list *c, const double *scores, int64_t images, int64_t classes, case_rule rule,
                        bool multilabel);
#endif
