/* SPDX-License-Identifier: Apache-2.0
 * metrics_temperature.c -- temperature scaling: the temperature that fits logits to labels, and its application. */
#include "core/metrics/metrics.h"
#include <math.h>
#include <stdbool.h>

static const double lowest = 0.01, highest = 100;            /* temperatures */

/* n times the derivative of the nll by b = 1 / temperature: the sum over samples of the mean logit under softmax(b
 * logits), minus the label's logit. It never falls as b grows. */
static double slope(const float *logits, const int64_t *labels, int64_t n, int64_t classes, double b)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        const float *row = logits + i * classes;
        double max = -INFINITY, weights = 0, sum = 0;
        for (int64_t j = 0; j < classes; j++) max = fmax(max, (double)row[j]);
        for (int64_t j = 0; j < classes; j++) {
            const double w = exp(b * ((double)row[j] - max));
            weights += w;
            sum += w * ((double)row[j] - (double)row[labels[i]]);
        }
        total += sum / weights;
    }
    return total;
}

/* Whether a sample has logits that differ, so that the temperature changes its probabilities. They may be rounded to 0
 * and 1 at every temperature of the range, and the slope to 0. */
static bool has_effect(const float *logits, int64_t n, int64_t classes)
{
    for (int64_t i = 0; i < n * classes; i++) if (logits[i] != logits[i / classes * classes]) return true;
    return false;
}

/* Bisection of log(temperature); ends when no number lies between the bounds. */
peft_status peft_metrics_fit_temperature(const float *logits, const int64_t *labels, int64_t n, int64_t classes,
                                         double *temperature)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_metrics_fit_temperature";
    if (!logits || !temperature) return pf_metric_null(who, logits ? "temperature" : "logits");
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_logits(who, logits, n, classes));
    PF_TRY(pf_metric_labels(who, "labels", labels, n, classes));
    double low = log(lowest), high = log(highest), result;
    if (!has_effect(logits, n, classes)) result = 1;          /* all temperatures fit equally */
    else if (slope(logits, labels, n, classes, 1 / lowest) <= 0) result = lowest;
    else if (slope(logits, labels, n, classes, 1 / highest) >= 0) result = highest;
    else {
        for (double middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2)
            *(slope(logits, labels, n, classes, exp(-middle)) > 0 ? &low : &high) = middle;
        result = exp(low);
    }
    *temperature = result;
    return PEFT_OK;
}

peft_status peft_metrics_temperature_scores(const float *logits, int64_t n, int64_t classes, double temperature,
                                            double *scores)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_metrics_temperature_scores";
    if (!logits || !scores) return pf_metric_null(who, logits ? "scores" : "logits");
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_logits(who, logits, n, classes));
    if (!(temperature > 0 && isfinite(temperature)))
        return pf_fail(PEFT_E_INVALID, "%s: temperature is %s, expected a finite number above 0", who,
                       isnan(temperature) ? "NaN" : temperature > 0 ? "infinite" : "0 or less");
    for (int64_t i = 0; i < n; i++) {
        const float *row = logits + i * classes;
        double max = -INFINITY;
        for (int64_t j = 0; j < classes; j++) max = fmax(max, (double)row[j]);
        /* the largest becomes 0, as a quotient of a small temperature may be infinite */
        for (int64_t j = 0; j < classes; j++) scores[i * classes + j] = ((double)row[j] - max) / temperature;
        pf_metric_softmax(scores + i * classes, classes);
    }
    return PEFT_OK;
}
