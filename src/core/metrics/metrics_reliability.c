/* SPDX-License-Identifier: Apache-2.0
 * metrics_reliability.c -- the bins of reliability diagrams. */
#include "core/metrics/metrics.h"
#include <math.h>
#include <stdbool.h>

/* An edge belongs to the bin below it, as it is rounded in (b + 1) / bins. */
int64_t pf_metric_bin(double p, int64_t bins)
{
    const int64_t guess = (int64_t)(p * (double)bins);
    int64_t b = guess > 1 ? guess - 2 : 0;
    while (b < bins - 1 && p > (double)(b + 1) / (double)bins) b++;
    return b;
}

/* The bins of one diagram: their size, and sums that finish() divides by it. */
typedef struct diagram { int64_t *size; double *probability, *share; } diagram;

static void begin(diagram d, int64_t bins)
{
    for (int64_t b = 0; b < bins; b++) {
        d.size[b] = 0;
        d.probability[b] = d.share[b] = 0;
    }
}

static void add(diagram d, int64_t bins, double probability, bool came_true)
{
    const int64_t b = pf_metric_bin(probability, bins);
    d.size[b]++;
    d.probability[b] += probability;
    d.share[b] += came_true;
}

static void finish(diagram d, int64_t bins)
{
    for (int64_t b = 0; b < bins; b++) {
        d.probability[b] = d.size[b] ? d.probability[b] / (double)d.size[b] : NAN;
        d.share[b] = d.size[b] ? d.share[b] / (double)d.size[b] : NAN;
    }
}

/* Checks what both functions are given. */
static peft_status check(const char *who, const double *probabilities, int64_t n, int64_t classes, int64_t bins,
                         diagram d)
{
    if (!d.size || !d.probability || !d.share)
        return pf_metric_null(who, !d.size ? "size" : !d.probability ? "probability" : "share");
    if (bins < 1 || bins > 1000)
        return pf_fail(PEFT_E_INVALID, "%s: bins is %lld, expected 1 to 1000", who, (long long)bins);
    PF_TRY(pf_metric_extents(who, n, classes));
    return pf_metric_probabilities(who, probabilities, n, classes);
}

peft_status peft_metrics_reliability(const double *probabilities, const int64_t *labels, int64_t n, int64_t classes,
                                     int64_t bins, int64_t *size, double *probability, double *share)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_metrics_reliability";
    const diagram d = { size, probability, share };
    PF_TRY(check(who, probabilities, n, classes, bins, d));
    PF_TRY(pf_metric_labels(who, "labels", labels, n, classes));
    begin(d, bins);
    for (int64_t i = 0; i < n; i++) {
        const double *row = probabilities + i * classes;
        const int64_t best = pf_metric_largest(row, classes);
        add(d, bins, row[best], best == labels[i]);
    }
    finish(d, bins);
    return PEFT_OK;
}

peft_status peft_metrics_reliability_of_classes(const double *probabilities, const float *targets, int64_t n,
                                                int64_t classes, int64_t bins, int64_t *size, double *probability,
                                                double *share)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_metrics_reliability_of_classes";
    PF_TRY(check(who, probabilities, n, classes, bins, (diagram){ size, probability, share }));
    PF_TRY(pf_metric_targets(who, targets, n, classes));
    for (int64_t c = 0; c < classes; c++) {
        const diagram d = { size + c * bins, probability + c * bins, share + c * bins };
        begin(d, bins);
        for (int64_t i = c; i < n * classes; i += classes)
            if (targets[i] >= 0) add(d, bins, probabilities[i], targets[i] > 0);
        finish(d, bins);
    }
    return PEFT_OK;
}
