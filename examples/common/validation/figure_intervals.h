/* SPDX-License-Identifier: Apache-2.0
 * figure_intervals.h -- the figures of predictions (validator.h) with 95 % bootstrap intervals, by patients where they
 * are known. The most probable class, or each label from 0.5 on, counts as the decision. */
#ifndef FIGURE_INTERVALS_H
#define FIGURE_INTERVALS_H
#include "validator.h"

enum { most_figures = 8 };
/* of[i]: figure_at(i); ends NaN: no interval, as of the loss, or of one patient. */
typedef struct figure_intervals { int count; peft_estimate of[most_figures]; } figure_intervals;
/* scores: [count of d, classes]. */
figure_intervals estimate_figures(peft_context *ctx, const double *scores, const peft_dataset *d);
/* Prints a line for each figure. */
void print_intervals(const figure_intervals *f, const peft_dataset *d);
#endif
