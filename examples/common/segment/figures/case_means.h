/* SPDX-License-Identifier: Apache-2.0
 * case_means.h -- means of the figures of cases: of a case over its classes, of all cases by class and over the
 * classes; and whether a name is that of a case's first image. */
#ifndef CASE_MEANS_H
#define CASE_MEANS_H
#include "case_figures.h"
#include "common/files/records.h"

/* The first class that means over classes count: the one behind the background, or a single class itself. */
static inline int64_t first_counted_class(int64_t classes) { return classes > 1; }
/* The same of a table, whose classes may be labels without a background: then it is the first one. */
static inline int64_t first_counted(const case_table *f) { return f->several ? 0 : first_counted_class(f->classes); }
bool   any_millimetres(const case_table *f);                /* has a case distances in millimetres? */
/* A figure (CASE_DICE, ..) of class c of case i as means count it: NaN for a distance that is infinite, or in pixels,
 * with `millimetres`, where others are in millimetres. */
double counted_value(const case_table *f, bool millimetres, int kind, int64_t i, int64_t c);
/* The mean of a figure of case i over the counted classes. NaN: it has none. */
double case_mean(const case_table *f, int kind, int64_t i);
/* mean [classes], may be NULL: of each class the mean over the cases in which it has the figure (counted_value).
 * Returns the mean of these over the counted classes. NaN: no case has the figure, or no counted class has a mean.
 * f has a case. */
double means_by_class(const case_table *f, int kind, double *mean);
/* The figures (CASE_DICE, ..) that are the results of a study of masks, from result_dice on, in this order. */
extern const int recorded_kind[results_of_class];
/* The cases that have a mean Dice, the largest first and of equal ones the first case, to be freed. *n: how many. */
int64_t *order_by_dice(const case_table *f, int64_t *n);
/* The place of the "best", the "median" or the "worst" of n cases in this order; -1: they have none. */
int64_t place_of_rank(const char *rank, int64_t n);
/* Is case i, whose images follow each other in the data set, named after this first image of it? */
bool   begins_case(const case_table *f, int64_t i, const char *image);
#endif
