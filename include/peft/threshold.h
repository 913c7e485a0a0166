/* SPDX-License-Identifier: Apache-2.0
 * threshold.h -- yes or no by a threshold: choosing it, the rates that it gives, and what decisions by it are worth.
 *
 * A sample is positive for a class if its score is at least the class's threshold. scores [n,classes] are of any scale;
 * each class, or label of several (multi-label), is looked at for itself. targets [n,classes]: 1 (positive), 0
 * (negative) or -1 (not judged: does not count), for one label a sample those of peft_metrics_one_hot. Choose
 * thresholds on validation samples and report rates of test samples: on the same samples the rates are too good. All is
 * computed in double, by the calling thread. PEFT_E_NONFINITE: a score is NaN. */
#ifndef PEFT_THRESHOLD_H
#define PEFT_THRESHOLD_H
#include <peft/statistics.h>
PEFT_BEGIN_DECLS

/* thresholds [classes]: for each class one of its scores, or the next number above the largest ("no" for all), by rule
 *   "youden"        largest sensitivity + specificity - 1 (Youden, 1950); of equal ones the highest threshold
 *   "sensitivity"   the highest threshold whose sensitivity is at least `wanted`
 *   "specificity"   the lowest threshold whose specificity is at least `wanted`
 *   "f1"            largest f1; of equal ones the highest threshold
 * wanted, 0 to 1, is read by the second and third only. NaN for a class without judged positives or without negatives.
 * PEFT_E_INVALID: another rule; wanted is out of range. */
PEFT_API PEFT_NODISCARD peft_status
peft_threshold_choose(peft_context *ctx, const double *scores, const float *targets, int64_t n, int64_t classes,
                      const char *rule, double wanted, double *thresholds);

/* Counts and rates of one class. Rates have value, low and high; one without samples is NaN. Predictive values hold for
 * the share of positives among these samples: in a population with fewer, ppv is lower. */
typedef struct peft_rates {
    int64_t tp;                        /* positive, decided positive */
    int64_t fp;                        /* negative, decided positive */
    int64_t fn;                        /* positive, decided negative */
    int64_t tn;                        /* negative, decided negative */
    peft_estimate sensitivity;         /* tp / (tp + fn) */
    peft_estimate specificity;         /* tn / (tn + fp) */
    peft_estimate ppv;                 /* positive predictive value, tp / (tp + fp) */
    peft_estimate npv;                 /* negative predictive value, tn / (tn + fn) */
} peft_rates;

/* out [classes]. thresholds [classes]; a NaN leaves its class without counts. level and interval: those of
 * peft_statistics_proportion, whose intervals take samples for independent. With several images of a patient use
 * peft_statistics_bootstrap of "recall", "specificity" and "precision" with groups and thresholds. */
PEFT_API PEFT_NODISCARD peft_status
peft_threshold_rates(const double *scores, const float *targets, int64_t n, int64_t classes, const double *thresholds,
                     double level, const char *interval, peft_rates *out);

/* Decision curve (Vickers and Elkin, Medical Decision Making 26, 2006): the net benefit tp/n - fp/n t/(1-t) of treating
 * those with probability >= t. t is the treatment threshold: it weighs a needless treatment against a missed one.
 * thresholds [m]: in 0 <= t < 1. model [classes,m]: of the probabilities; all [classes,m]: of treating all samples;
 * may be NULL. Treating none has the benefit 0. NaN for a class without judged samples. Probabilities have to be
 * calibrated (metrics.h). */
PEFT_API PEFT_NODISCARD peft_status
peft_threshold_net_benefit(const double *probabilities, const float *targets, int64_t n, int64_t classes,
                           const double *thresholds, int64_t m, double *model, double *all);

PEFT_END_DECLS
#endif
