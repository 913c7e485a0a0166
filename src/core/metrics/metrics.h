/* SPDX-License-Identifier: Apache-2.0
 * metrics.h -- what the metrics' files share: the table of names, checks of arguments, scores of tallies. */
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

/* who is the public function, for messages. A name outside the family is PEFT_E_NOTFOUND; a count that is not what
 * the metric writes is PEFT_E_SHAPE. */
peft_status pf_metric_find(const char *who, char family, const char *name, int64_t classes, const double *out,
                           size_t count, pf_metric *metric);
peft_status pf_metric_extents(const char *who, int64_t n, int64_t classes);          /* both at least 1, no overflow */
peft_status pf_metric_null(const char *who, const char *argument);
peft_status pf_metric_labels(const char *who, const char *argument, const int64_t *v, int64_t n, int64_t classes);
peft_status pf_metric_targets(const char *who, const float *v, int64_t n, int64_t classes);      /* 0, 1 or -1 */
peft_status pf_metric_ranked(const char *who, const double *v, int64_t n, int64_t classes);      /* no NaN */
peft_status pf_metric_shares(const char *who, const double *v, int64_t n, int64_t classes);      /* 0..1 */
#endif
