/* SPDX-License-Identifier: Apache-2.0
 * spread.h -- mean, standard deviation and confidence interval of the mean over runs. */
#ifndef SPREAD_H
#define SPREAD_H
#include <stdint.h>

/* sd: of a sample. NaN: the mean of none, the sd of less than two. */
typedef struct spread { int64_t n; double mean, sd; } spread;
spread spread_of(const double *v, int64_t n);                 /* NaN left out */
/* The half width of the 95 % interval of the mean by Student's t; NaN for less than two. */
double mean_error(spread s);
#endif
