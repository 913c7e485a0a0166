/* SPDX-License-Identifier: Apache-2.0
 * statistics.h -- mean, standard deviation and confidence interval of the mean of repeated runs, for tables and
 * charts. */
#ifndef STATISTICS_H
#define STATISTICS_H
#include <stdint.h>

/* n values that are not NaN. sd: sample standard deviation (divisor n - 1). mean is NaN for n = 0, sd for n < 2. */
typedef struct statistics { int64_t n; double mean, sd; } statistics;
statistics statistics_of(const double *v, int64_t n);         /* of v[0..n-1], ignoring NaN */
/* Half the width of the 95 % confidence interval of the mean, by Student's t; NaN for n < 2. */
double confidence_half_width(statistics s);
#endif
