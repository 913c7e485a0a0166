/* SPDX-License-Identifier: Apache-2.0
 * metrics.h -- what the files of metrics share: the metrics and their families as enums, checks of arguments, and
 * sorting by score. */
#ifndef PF_METRICS_H
#define PF_METRICS_H
#include <peft/metrics.h>
#include <stdbool.h>
#include "core/base/error.h"
#include "kernels/float_mode.h"

typedef enum pf_metric {
#define PF_METRIC(name, families, per_class, help) PF_METRIC_##name,
#include "core/metrics/metrics.def"
#undef PF_METRIC
    PF_METRICS
} pf_metric;

/* A family: the metrics that one public function computes. Its letter stands in the rows of metrics.def. */
typedef enum pf_metric_family {
    PF_FAMILY_DECISION = 'd', PF_FAMILY_MULTILABEL = 'm', PF_FAMILY_RANKING = 'r', PF_FAMILY_CALIBRATION = 'c',
    PF_FAMILY_VALUES = 'v'
} pf_metric_family;

/* Finds the metric of that name in a family. PEFT_E_NOTFOUND: the family has no such metric; PEFT_E_SHAPE: the metric
 * does not write `count` values. out: where the caller will write them, only compared with NULL. who, here and below:
 * the name of the public function, for the message. */
peft_status pf_metric_find(const char *who, pf_metric_family family, const char *name, int64_t classes,
                           const double *out, size_t count, pf_metric *metric);
/* Returns PEFT_E_INVALID, with the message that the argument of this name is NULL. */
peft_status pf_metric_null(const char *who, const char *argument);
/* The following functions check an argument; v is a vector [n] of labels or a matrix [n, classes]. */
peft_status pf_metric_extents(const char *who, int64_t n, int64_t classes);      /* both >= 1, no overflow */
peft_status pf_metric_labels(const char *who, const char *argument, const int64_t *v, int64_t n, int64_t classes);
peft_status pf_metric_targets(const char *who, const float *v, int64_t n, int64_t classes);          /* 0, 1 or -1 */
peft_status pf_metric_scores(const char *who, const double *v, int64_t n, int64_t classes);          /* no NaN */
peft_status pf_metric_probabilities(const char *who, const double *v, int64_t n, int64_t classes);   /* 0..1 */
peft_status pf_metric_logits(const char *who, const float *v, int64_t n, int64_t classes);           /* finite */
/* The metric "mean" [classes] or "mean_macro" of the rows index [m] of x (NULL: rows 0 to m - 1). others, if it is not
 * NULL: entries that are NaN there are left out too. */
void pf_metric_means(const double *x, const double *others, const int64_t *index, int64_t m, int64_t classes,
                     bool macro, double *out);
int64_t pf_metric_largest(const double *row, int64_t classes);     /* the index of the first largest element */
int64_t pf_metric_bin(double p, int64_t bins);                /* the bin b with b/bins < p <= (b+1)/bins; 0 for 0 */
void pf_metric_softmax(double *row, int64_t classes);              /* replaces the logits of one sample */
double  pf_metric_sigmoid(double x);

/* A score with what the caller needs to know of its sample: the target, or the index. */
typedef struct pf_ranked { double score; int64_t tag; } pf_ranked;
/* Stable merge sort of n items by descending score, without recursion. scratch has room for n items. Returns the sorted
 * items, which are in items or in scratch. */
pf_ranked *pf_rank_sort(pf_ranked *items, pf_ranked *scratch, int64_t n);
#endif
