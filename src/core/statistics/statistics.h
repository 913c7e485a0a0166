/* SPDX-License-Identifier: Apache-2.0
 * statistics.h -- what the files of <peft/statistics.h> share: distributions, checks, and the groups of samples. */
#ifndef PF_STATISTICS_H
#define PF_STATISTICS_H
#include <peft/statistics.h>
#include "core/base/context.h"
#include "core/metrics/metrics.h"

/* --- distributions --- */
double pf_normal_below(double x);                            /* P(Z <= x) of a standard normal variable */
double pf_normal_quantile(double p);                         /* its inverse; -Inf for 0, Inf for 1, else NaN */
double pf_normal_deviate(double level);                      /* z for which P(-z <= Z <= z) is level */
double pf_binomial_upper(int64_t k, int64_t n, double p);    /* P(X >= k) of n trials of probability p */
/* Quantile q of n ascending values, linear between neighbours (numpy's default). */
double pf_sorted_quantile(const double *v, int64_t n, double q);

/* --- checks --- */
peft_status pf_statistics_level(const char *who, double level);      /* between 0 and 1 */
/* PEFT_E_INVALID: kind is not one of the two names. *is_second: it is the second. */
peft_status pf_statistics_kind(const char *who, const char *argument, const char *kind, const char *first,
                               const char *second, bool *is_second);
/* An estimate without any value: NaN and 0. */
peft_estimate pf_estimate_none(void);

/* --- groups --- */
/* The groups of n samples: `of` [n] is the group of a sample, 0 to count - 1; the samples of group g are members
 * [start[g] .. start[g + 1] - 1]. */
typedef struct pf_groups { int64_t count, *of, *members, *start; } pf_groups;
/* Makes the groups of the numbers `groups` [n] (NULL: each sample for itself). The caller calls pf_groups_free, also
 * after a failure. */
peft_status pf_groups_make(pf_groups *g, const char *who, peft_context *ctx, const int64_t *groups, int64_t n);
void        pf_groups_free(pf_groups *g, peft_context *ctx);
#endif
