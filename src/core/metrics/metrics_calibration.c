/* SPDX-License-Identifier: Apache-2.0
 * metrics_calibration.c -- metrics of probabilities with one label a sample: calibration errors, Brier score,
 * log-likelihood. */
#include "core/metrics/metrics.h"
#include <math.h>
#include <stdbool.h>

#define BINS 15                          /* of equal width, for ece and mce (metrics.def) */

/* A sample falls into bin (b/15, (b+1)/15] by its largest probability. The error of a bin is |share of correct
 * decisions - mean probability|. Returns the mean error weighted by the bins' sizes (ece); largest_bin true: the
 * largest error (mce). */
static double calibration(const double *p, const int64_t *labels, int64_t n, int64_t classes, bool largest_bin)
{
    double confidence[BINS] = { 0 }, result = 0;             /* confidence: sum of the largest probabilities */
    int64_t size[BINS] = { 0 }, right[BINS] = { 0 };
    for (int64_t i = 0; i < n; i++) {
        const double *row = p + i * classes;
        const int64_t best = pf_metric_largest(row, classes), b = pf_metric_bin(row[best], BINS);
        confidence[b] += row[best];
        size[b]++;
        right[b] += best == labels[i];
    }
    for (int b = 0; b < BINS; b++) {
        if (!size[b]) continue;
        const double error = fabs((double)right[b] - confidence[b]);          /* the bin's error times its size */
        result = largest_bin ? fmax(result, error / (double)size[b]) : result + error / (double)n;
    }
    return result;
}

/* The squared error of the probabilities, summed over classes, mean over samples. only_last: the last class alone. */
static double brier(const double *p, const int64_t *labels, int64_t n, int64_t classes, bool only_last)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = only_last ? classes - 1 : 0; j < classes; j++) {
            const double d = p[i * classes + j] - (labels[i] == j);
            sum += d * d;
        }
    return sum / (double)n;
}

/* The mean of -log of the label's probability. */
static double nll(const double *p, const int64_t *labels, int64_t n, int64_t classes)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum -= log(p[i * classes + labels[i]]);
    return sum / (double)n;
}

peft_status peft_metrics_calibration(const double *probabilities, const int64_t *labels, int64_t n, int64_t classes,
                                     const char *name, double *out, size_t count)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_metrics_calibration";
    pf_metric m = PF_METRICS;
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_find(who, PF_FAMILY_CALIBRATION, name, classes, out, count, &m));
    PF_TRY(pf_metric_probabilities(who, probabilities, n, classes));
    PF_TRY(pf_metric_labels(who, "labels", labels, n, classes));
    if (m == PF_METRIC_brier_binary && classes != 2)
        return pf_fail(PEFT_E_SHAPE, "%s: classes is %lld, metric 'brier_binary' expects 2", who, (long long)classes);
    switch (m) {
    case PF_METRIC_ece: case PF_METRIC_mce:
        *out = calibration(probabilities, labels, n, classes, m == PF_METRIC_mce);
        break;
    case PF_METRIC_nll: *out = nll(probabilities, labels, n, classes); break;
    default: *out = brier(probabilities, labels, n, classes, m == PF_METRIC_brier_binary);
    }
    return PEFT_OK;
}
