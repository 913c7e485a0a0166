/* SPDX-License-Identifier: Apache-2.0
 * metrics.h -- figures of merit over plain arrays, all row-major and dense, computed in double. A metric is asked for
 * by name; it writes one value, or one a class. `count` is the room in out and must be just that number. Undefined
 * values (the AUROC of a class without positives) are NaN, and means over classes leave them out. */
#ifndef PEFT_METRICS_H
#define PEFT_METRICS_H
#include <peft/context.h>
PEFT_BEGIN_DECLS

/* What there is: name, the functions below that know it, values and definition. i past the last, unknown name: NULL. */
PEFT_API const char *peft_metrics_name(size_t i);
PEFT_API const char *peft_metrics_help(const char *name);

/* --- from a model's output to what metrics read --- */
PEFT_API PEFT_NODISCARD peft_status    /* scores [n,classes]; link: "softmax" (a row), "sigmoid" or "identity" */
peft_metrics_scores(const float *logits, int64_t n, int64_t classes, const char *link, double *scores);
PEFT_API PEFT_NODISCARD peft_status    /* predicted [n]: the first of the largest */
peft_metrics_decide(const double *scores, int64_t n, int64_t classes, int64_t *predicted);
PEFT_API PEFT_NODISCARD peft_status    /* targets [n,classes]: 1 at the label, else 0 */
peft_metrics_one_hot(const int64_t *labels, int64_t n, int64_t classes, float *targets);

/* --- decisions --- */
PEFT_API PEFT_NODISCARD peft_status    /* counts [classes,classes]: a row the true class, a column the predicted one */
peft_metrics_confusion(const int64_t *labels, const int64_t *predicted, int64_t n, int64_t classes, int64_t *counts);
PEFT_API PEFT_NODISCARD peft_status    /* "accuracy", "balanced_accuracy", "f1", "f1_macro", "kappa_quadratic", ... */
peft_metrics_decision(const int64_t *counts, int64_t classes, const char *name, double *out, size_t count);
PEFT_API PEFT_NODISCARD peft_status    /* several labels a sample, yes from threshold on: "f1_macro", "brier", ... */
peft_metrics_multilabel(const double *probabilities, const float *targets, int64_t n, int64_t classes,
                        double threshold, const char *name, double *out, size_t count);

/* --- ranking: any increasing score does; targets are 0, 1 or -1 (not judged: left out) --- */
PEFT_API PEFT_NODISCARD peft_status    /* "auroc", "auroc_macro", "average_precision", "map", "rank_map", ... */
peft_metrics_ranking(peft_context *ctx, const double *scores, const float *targets, int64_t n, int64_t classes,
                     const char *name, double *out, size_t count);

/* --- probabilities of one label a sample --- */
PEFT_API PEFT_NODISCARD peft_status    /* "ece", "mce", "brier", "brier_binary", "nll" */
peft_metrics_calibration(const double *probabilities, const int64_t *labels, int64_t n, int64_t classes,
                         const char *name, double *out, size_t count);

PEFT_END_DECLS
#endif
