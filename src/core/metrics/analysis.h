/* SPDX-License-Identifier: Apache-2.0
 * analysis.h -- what the files of <peft/analysis.h> share: checks of features, and singular values. */
#ifndef PF_ANALYSIS_H
#define PF_ANALYSIS_H
#include <peft/analysis.h>
#include "core/base/context.h"
#include "core/metrics/metrics.h"

/* Checks ctx, the extents (n >= 2), and that all features are finite. who: the public function, for the message. */
peft_status pf_analysis_features(const char *who, const peft_context *ctx, const float *features, int64_t n,
                                 int64_t width);
/* The same for n >= 1, which the caller has checked, without ctx. */
peft_status pf_analysis_matrix(const char *who, const float *features, int64_t n, int64_t width);

/* Singular values of the matrix whose m columns are vectors [m,length], length >= m, which are overwritten. values [m]:
 * in descending order. directions [m,m]: row k is values[k] times the right singular vector of values[k], of which
 * element j belongs to vector j. */
void pf_singular_values(double *vectors, int64_t m, int64_t length, double *values, double *directions);
#endif
