/* SPDX-License-Identifier: Apache-2.0
 * metrics.h -- what the files of metrics share: the metrics as an enum, and checks of arguments. */
#ifndef PF_METRICS_H
#define PF_METRICS_H
#include <peft/metrics.h>
#include "core/base/error.h"
#include "kernels/float_mode.h"

typedef enum pf_metric {
#define PF_METRIC(name, families, per_class, help) PF_METRIC_##name,
#include "core/metrics/metrics.def"
#undef PF_METRIC
    PF_METRICS
} pf_metric;

/* Finds the metric of that name. family: 'd', 'm', 'r' or 'c', the public function that computes it (metrics.def).
 * PEFT_E_NOTFOUND: the family has none; PEFT_E_SHAPE: it does not write `count` values. who, here and below: the public
 * function, for the message. */
peft_status pf_metric_find(const char *who, char family, const char *name, int64_t classes, const double *out,
                           size_t count, pf_metric *metric);
/* Returns PEFT_E_INVALID: the argument is NULL. */
peft_status pf_metric_null(const char *who, const char *argument);
/* The following check an argument; v is a vector [n] of labels or a matrix [n, classes]. */
peft_status pf_metric_extents(const char *who, int64_t n, int64_t classes);      /* >= 1, no overflow */
peft_status pf_metric_labels(const char *who, const char *argument, const int64_t *v, int64_t n, int64_t classes);
peft_status pf_metric_targets(const char *who, const float *v, int64_t n, int64_t classes);          /* 0, 1 or -1 */
peft_status pf_metric_scores(const char *who, const double *v, int64_t n, int64_t classes);          /* no NaN */
peft_status pf_metric_probabilities(const char *who, const double *v, int64_t n, int64_t classes);   /* 0..1 */
#endif
