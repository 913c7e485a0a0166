/* SPDX-License-Identifier: Apache-2.0
 * statistics.h -- how sure a figure is: confidence intervals of proportions, of the AUROC (DeLong) and of any metric
 * (bootstrap), and tests of two sets of scores or decisions on the same samples.
 *
 * All is computed in double, by the calling thread. Random numbers are a function of seed, resample and draw alone: the
 * same call gives the same bits on any number of threads. Memory is from ctx and freed before the call returns. Targets
 * are 1 (positive), 0 (negative) or -1 (not judged: the sample does not count).
 *
 * groups [n], where a function takes it, says which samples belong together, as the images of one patient do: samples
 * with the same number >= 0 are of one group; a sample with a negative number is in none and stands for itself. NULL:
 * each sample stands for itself. Intervals that take images of a patient for independent are too narrow. */
#ifndef PEFT_STATISTICS_H
#define PEFT_STATISTICS_H
#include <peft/options.h>
PEFT_BEGIN_DECLS

/* A figure and how sure it is. NaN stands in fields that the function does not compute, and for what is undefined. */
typedef struct peft_estimate {
    double value;                      /* the figure of all samples */
    double error;                      /* its standard error */
    double low;                        /* lower end of its confidence interval */
    double high;                       /* upper end */
    double p;                          /* two-sided p value of "the difference is 0" */
    int64_t resamples;                 /* resamples whose figure is defined: those behind error, low, high and p */
    int64_t undefined;                 /* the other resamples, such as those without a positive sample */
} peft_estimate;

/* --- proportions -------------------------------------------------------------------------------------------------- */
/* The share of `successes` in `trials` independent trials: value, low, high. kind: "wilson", the score interval without
 * correction for continuity (Wilson, 1927), whose mean coverage is close to level; "clopper_pearson", exact (Clopper
 * and Pearson, 1934): its coverage is at least level. level: such as 0.95. All NaN if trials is 0. PEFT_E_INVALID:
 * successes are not 0 to trials, or trials are more than 10^12; level is not between 0 and 1; another kind. */
PEFT_API PEFT_NODISCARD peft_status
peft_statistics_proportion(int64_t successes, int64_t trials, double level, const char *kind, peft_estimate *out);

/* McNemar's exact test: do two methods decide equally well on the same samples? labels, first, second [n]: true classes
 * and the decisions of both, any numbers; for one label of several (multi-label): 0 and 1. counts [2]: samples that
 * only the first method decides right, and those that only the second does. *p: of the two-sided binomial test that
 * both are equally probable, 1 if there are none. Samples of a patient are not independent: see
 * peft_statistics_permutation. Source: McNemar, Psychometrika 12 (1947). */
PEFT_API PEFT_NODISCARD peft_status
peft_statistics_mcnemar(const int64_t *labels, const int64_t *first, const int64_t *second, int64_t n,
                        int64_t *counts, double *p);

/* --- AUROC -------------------------------------------------------------------------------------------------------- */
/* The AUROC of scores [n] for targets [n] with DeLong's variance (DeLong et al., Biometrics 44, 1988), in the time of
 * sorting (Sun and Xu, IEEE Signal Processing Letters 21, 2014); with groups that of Obuchowski (Biometrics 53, 1997).
 * value is metric "auroc". kind: "logit", symmetric for log(auroc / (1 - auroc)), so that it stays in 0..1; "wald",
 * auroc +- z error, cut off at 0 and 1. error, low and high are NaN where the variance is 0 or undefined: if the scores
 * separate the targets without an error (AUROC 1 or 0), or with one positive or negative sample or group alone. value
 * is NaN without positives or negatives. PEFT_E_NONFINITE: a score is NaN. */
PEFT_API PEFT_NODISCARD peft_status
peft_statistics_auroc(peft_context *ctx, const double *scores, const float *targets, const int64_t *groups, int64_t n,
                      double level, const char *kind, peft_estimate *out);
/* The difference of two AUROCs on the same samples, that of first [n] minus that of second [n], with the variance of
 * the same sources: value, error, low, high (value +- z error) and p. All but value are NaN where the variance is
 * undefined or 0, except p = 1 for a difference of exactly 0. */
PEFT_API PEFT_NODISCARD peft_status
peft_statistics_auroc_difference(peft_context *ctx, const double *first, const double *second, const float *targets,
                                 const int64_t *groups, int64_t n, double level, peft_estimate *out);

/* --- any metric --------------------------------------------------------------------------------------------------- */
/* n samples with scores. Of labels and targets at most one is given. With labels: metrics of the families decision (the
 * class of the largest score), ranking (each class against the rest) and calibration of peft_metrics_help; with
 * targets: of multilabel and ranking; with neither: "mean" and "mean_macro" of scores that are values, such as the Dice
 * of n cases (peft_segmentation_values), where NaN is left out, in a difference also where the other one is NaN. */
typedef struct peft_samples {
    int64_t n;                         /* samples */
    int64_t classes;                   /* columns of scores and targets */
    const double *scores;              /* [n,classes]; probabilities for the families multilabel and calibration */
    const double *others;              /* [n,classes] scores of a second method on the same samples; NULL: none */
    const int64_t *labels;             /* [n] classes */
    const float *targets;              /* [n,classes] */
    const double *thresholds;          /* [classes] of the family multilabel, yes: score >= threshold; NULL: 0.5 */
    const int64_t *groups;             /* [n]; NULL: each sample for itself */
} peft_samples;

/* Row i of the options of the two functions below (options.h); NULL: after the last. */
PEFT_API const peft_option *peft_statistics_option(size_t i);

/* Bootstrap interval of a metric, or with s->others of its difference, that of scores minus that of others: value,
 * error (standard deviation of the resamples), low, high. Each resample draws as many groups as there are, with
 * replacement, and takes all samples of each. out [count]: as many as the metric has values. Options (NULL: defaults)
 *   resamples   2000
 *   level       0.95
 *   interval    percentile: the quantiles of the resamples (linear between two, as numpy's); bca: bias-corrected and
 *               accelerated (Efron, 1987), NaN where the figure is undefined without one of the groups, and where all
 *               resamples lie on one side of it. PEFT_E_UNSUPPORTED: groups * samples * classes are more than 10^9,
 *               such as 31,623 samples of one class without groups: it would take minutes
 *   stratified  true: draws within strata, so that each resample has as many groups of each. The stratum of a group is
 *               the largest label in it, or its largest target if there is one class. Strata of one group, which
 *               would be the same in each resample, are drawn as one stratum; a single one with the smallest other
 *               stratum. PEFT_E_INVALID: targets of several classes
 *   seed        of the draws
 * A resample is counted in `undefined` and is left out of the interval if the metric is NaN, if a class has none of
 * the positive or negative samples that its value needs (though metrics.h defines recall as 0 there), if a mean over
 * classes lacks a class that it has for all samples, or if mcc, kappa or kappa_quadratic have samples of one class. An
 * interval with many of them holds only for samples like the rest: stratify, or leave out rare classes. If each
 * resample would be the same (one group in all, or with stratified=true one in each stratum), all count as undefined,
 * and error, low and high are NaN. PEFT_E_NOTFOUND: no such metric for labels, or for targets. Errors of the functions
 * of metrics.h for these samples. Time: that of (resamples + groups for bca) evaluations. */
PEFT_API PEFT_NODISCARD peft_status
peft_statistics_bootstrap(peft_context *ctx, const peft_samples *s, const char *metric, const peft_options *options,
                          peft_estimate *out, size_t count);

/* Permutation test of a metric's difference between s->scores and s->others, which must be given: value and p. Each
 * resample swaps the two scores of all samples of a group with probability 1/2; p is the share of differences at least
 * as large as that of all samples, in magnitude, with that one counted as one of them: (1 + more) / (1 + resamples); of
 * one group it is 1. It needs scores of the same scale, such as probabilities. Options: resamples, seed (level,
 * interval and stratified do nothing). Source: Good, Permutation Tests (2000). */
PEFT_API PEFT_NODISCARD peft_status
peft_statistics_permutation(peft_context *ctx, const peft_samples *s, const char *metric, const peft_options *options,
                            peft_estimate *out, size_t count);

PEFT_END_DECLS
#endif
