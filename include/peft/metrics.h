/* SPDX-License-Identifier: Apache-2.0
 * metrics.h -- metrics of predictions, from dense row-major arrays, computed in double. A metric is chosen by its name
 * and writes one value, or one for each class, to out; `count`, the size of out, must be that number. Undefined values
 * (such as the AUROC of a class without positives) are NaN and do not count in means over classes. */
#ifndef PEFT_METRICS_H
#define PEFT_METRICS_H
#include <peft/context.h>
PEFT_BEGIN_DECLS

/* The name of metric i, counted from 0; NULL: after the last. */
PEFT_API const char *peft_metrics_name(size_t i);
/* A text about the metric of this name: the functions below that accept it, its values, and its definition. NULL: there
 * is no such metric. */
PEFT_API const char *peft_metrics_help(const char *name);

/* --- from logits and labels to the arrays below --- */
PEFT_API PEFT_NODISCARD peft_status    /* scores [n,classes]; link: "softmax" (of each row), "sigmoid", "identity" */
peft_metrics_scores(const float *logits, int64_t n, int64_t classes, const char *link, double *scores);
PEFT_API PEFT_NODISCARD peft_status    /* predicted [n]: the class of the largest score, the first of equals */
peft_metrics_decide(const double *scores, int64_t n, int64_t classes, int64_t *predicted);
PEFT_API PEFT_NODISCARD peft_status    /* targets [n,classes]: 1 at the label, else 0 */
peft_metrics_one_hot(const int64_t *labels, int64_t n, int64_t classes, float *targets);

/* --- decisions --- */
PEFT_API PEFT_NODISCARD peft_status    /* counts [classes,classes]: row: true class, column: predicted one */
peft_metrics_confusion(const int64_t *labels, const int64_t *predicted, int64_t n, int64_t classes, int64_t *counts);
PEFT_API PEFT_NODISCARD peft_status    /* "accuracy", "balanced_accuracy", "f1", "f1_macro", "kappa_quadratic", ... */
peft_metrics_decision(const int64_t *counts, int64_t classes, const char *name, double *out, size_t count);
PEFT_API PEFT_NODISCARD peft_status    /* several labels a sample; yes: probability >= threshold; "f1_macro" */
peft_metrics_multilabel(const double *probabilities, const float *targets, int64_t n, int64_t classes,
                        double threshold, const char *name, double *out, size_t count);
PEFT_API PEFT_NODISCARD peft_status    /* the same; thresholds [classes]: one for each label (threshold.h) */
peft_metrics_multilabel_at(const double *probabilities, const float *targets, int64_t n, int64_t classes,
                           const double *thresholds, const char *name, double *out, size_t count);

/* --- ranking: only the order of scores counts; targets are 0, 1, or -1 (not judged: not counted) --- */
PEFT_API PEFT_NODISCARD peft_status    /* "auroc", "auroc_macro", "average_precision", "map", "rank_map", ... */
peft_metrics_ranking(peft_context *ctx, const double *scores, const float *targets, int64_t n, int64_t classes,
                     const char *name, double *out, size_t count);

/* --- probabilities, with one label for each sample --- */
PEFT_API PEFT_NODISCARD peft_status    /* "ece", "mce", "brier", "brier_binary", "nll" */
peft_metrics_calibration(const double *probabilities, const int64_t *labels, int64_t n, int64_t classes,
                         const char *name, double *out, size_t count);

/* The bins of a reliability diagram: bin b of `bins`, 1 to 1000, holds probabilities in (b/bins, (b+1)/bins], the first
 * 0 too. size: samples in the bin; probability, share: their mean probability, and the share that it came true for, NaN
 * in an empty bin. A calibrated model has equal ones. The first function looks at the largest probability of each
 * sample, and whether its class is the label ("ece" is of its 15 bins); its arrays are [bins]. The second looks at each
 * class or label for itself, with targets as for rankings; its arrays are [classes,bins]. */
PEFT_API PEFT_NODISCARD peft_status
peft_metrics_reliability(const double *probabilities, const int64_t *labels, int64_t n, int64_t classes, int64_t bins,
                         int64_t *size, double *probability, double *share);
PEFT_API PEFT_NODISCARD peft_status
peft_metrics_reliability_of_classes(const double *probabilities, const float *targets, int64_t n, int64_t classes,
                                    int64_t bins, int64_t *size, double *probability, double *share);

/* --- values of the caller, such as the Dice of each case and class (segmentation.h); NaN is left out --- */
PEFT_API PEFT_NODISCARD peft_status    /* values [n,classes]; "mean", "mean_macro" */
peft_metrics_values(const double *values, int64_t n, int64_t classes, const char *name, double *out, size_t count);

/* --- temperature scaling (Guo et al., ICML 2017): softmax(logits / temperature) instead of softmax(logits) --- */
/* The temperature, from 0.01 to 100, with the least mean of -log of the label's probability (metric "nll"). Fit it on
 * images that were used neither for training nor for the final test. The nll is convex in 1/temperature; bisection
 * finds its minimum, or the end of the range next to it: 0.01 if every label has the largest logit. *temperature is 1
 * if it makes no difference, as with one class or equal logits. Allocates nothing. */
PEFT_API PEFT_NODISCARD peft_status
peft_metrics_fit_temperature(const float *logits, const int64_t *labels, int64_t n, int64_t classes,
                             double *temperature);
/* scores [n,classes]: softmax of each row of logits / temperature, which is > 0 */
PEFT_API PEFT_NODISCARD peft_status
peft_metrics_temperature_scores(const float *logits, int64_t n, int64_t classes, double temperature, double *scores);

PEFT_END_DECLS
#endif
