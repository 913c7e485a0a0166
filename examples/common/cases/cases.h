/* SPDX-License-Identifier: Apache-2.0
 * cases.h -- predictions of cases: a case is a study or volume with several images (slices), whose probabilities are
 * aggregated to one prediction. */
#ifndef CASES_H
#define CASES_H
#include <peft/io.h>
#include <stdbool.h>
#include <stdint.h>

/* CASE_MEAN: the mean of the images' probabilities, class by class. CASE_MAX: their maximum; with one label for each
 * image divided by the sum over the classes, so that the numbers are probabilities again. CASE_ATTENTION: a case pool
 * (peft/case_pool.h) predicts the case from the features of its images (case_attention.h). */
typedef enum case_rule { CASE_MEAN, CASE_MAX, CASE_ATTENTION } case_rule;
extern const char *const case_rule_phrase[];                  /* [case_rule]: "mean of the probabilities of .." */
/* The row of --per-case in a program's table of flags (flags/flags.h). */
#define CASE_FLAG(X) \
    X(per_case, "mean|max", NULL, "aggregate the probabilities of a case's images (the table's column study)")
#define ATTENTION_CASE_FLAG(X) \
    X(per_case, "mean|max|attention", NULL, "aggregate the probabilities of a case's images (the table's column " \
      "study); attention: predict it from the features of its images by a trained pooling")
/* The rule of --per-case; another text, or attention where it is not possible, ends the program. */
case_rule parse_case_rule(const char *text, bool attention);

/* Cases in the order of their first images. */
typedef struct case_list {
    int64_t count;
    int64_t *of;                                              /* [images]: the number of its case */
    int64_t *first;                                           /* [count]: its first image */
    int64_t *slices, *failed;                                 /* [count]: images with a prediction; those without */
} case_list;
/* Images with equal names are of one case; NULL: a case of its own. known [images]: whether an image has a prediction;
 * NULL: all have. */
case_list find_cases(const char *const *name, const bool *known, int64_t images);
case_list cases_of(const peft_dataset *d);
void      free_cases(case_list *c);
/* The probabilities of all cases, [count, classes], of those of the images that are known (NULL: all), [images,
 * classes]; NaN for a case without one; to be freed. */
double *aggregate_cases(const case_list *c, const double *scores, const bool *known, int64_t images, int64_t classes,
                        case_rule rule, bool multilabel);

/* --- case_scores.c --- */
/* Ends the program unless d has cases and the images of each case have the same label, which is then that of the case.
 * which: "test" or "training", for the message. */
void check_cases(const peft_dataset *d, const char *which);
/* Probabilities [list.count, classes] of the cases of a data set, and its samples that stand for them: the first of
 * each case, whose label is that of the case. */
typedef struct case_scores { case_list list; double *scores; peft_dataset *samples; } case_scores;
/* scores: [images, classes], of all images of d. */
case_scores judge_cases(peft_dataset *d, const double *scores, case_rule rule);
void        free_case_scores(case_scores *s);
/* The name of the case of sample i: its own where it is in none. */
const char *case_name(const peft_dataset *d, int64_t i);
#endif
