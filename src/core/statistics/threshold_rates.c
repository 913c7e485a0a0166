/* SPDX-License-Identifier: Apache-2.0
 * threshold_rates.c -- sensitivity, specificity, predictive values and net benefit of decisions by thresholds. */
#include <peft/threshold.h>
#include <math.h>
#include "core/options/options.h"
#include "core/statistics/statistics.h"

/* Counts the decisions of one class: scores and targets point to the first sample's element of it. */
static peft_rates count(const double *scores, const float *targets, int64_t n, int64_t classes, double threshold)
{
    peft_rates r = { .tp = 0 };
    for (int64_t i = 0; i < n * classes && !isnan(threshold); i += classes) {
        const bool yes = scores[i] >= threshold;
        if (targets[i] < 0) continue;
        if (targets[i] > 0) *(yes ? &r.tp : &r.fn) += 1;
        else *(yes ? &r.fp : &r.tn) += 1;
    }
    return r;
}

peft_status peft_threshold_rates(const double *scores, const float *targets, int64_t n, int64_t classes,
                                 const double *thresholds, double level, const char *interval, peft_rates *out)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_threshold_rates";
    bool exact;
    if (!thresholds || !out) return pf_metric_null(who, out ? "thresholds" : "out");
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_statistics_level(who, level));
    PF_TRY(pf_statistics_kind(who, "interval", interval, "wilson", "clopper_pearson", &exact));
    PF_TRY(pf_metric_scores(who, scores, n, classes));
    PF_TRY(pf_metric_targets(who, targets, n, classes));
    for (int64_t c = 0; c < classes; c++) {
        peft_rates r = count(scores + c, targets + c, n, classes, thresholds[c]);
        const struct { int64_t right, all; peft_estimate *rate; } rates[] = {
            { r.tp, r.tp + r.fn, &r.sensitivity }, { r.tn, r.tn + r.fp, &r.specificity },
            { r.tp, r.tp + r.fp, &r.ppv }, { r.tn, r.tn + r.fn, &r.npv } };
        for (size_t k = 0; k < sizeof rates / sizeof *rates; k++)
            PF_TRY(peft_statistics_proportion(rates[k].right, rates[k].all, level, interval, rates[k].rate));
        out[c] = r;
    }
    return PEFT_OK;
}

peft_status peft_threshold_net_benefit(const double *probabilities, const float *targets, int64_t n, int64_t classes,
                                       const double *thresholds, int64_t m, double *model, double *all)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_threshold_net_benefit";
    if (!thresholds || !model) return pf_metric_null(who, model ? "thresholds" : "model");
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_extents(who, m, classes));
    PF_TRY(pf_metric_probabilities(who, probabilities, n, classes));
    PF_TRY(pf_metric_targets(who, targets, n, classes));
    for (int64_t k = 0; k < m; k++) {
        if (thresholds[k] >= 0 && thresholds[k] < 1) continue;
        char text[40];
        pf_print_float(text, sizeof text, thresholds[k]);
        return pf_fail(PEFT_E_INVALID, "%s: thresholds[%lld] is %s, expected 0 or more and less than 1", who,
                       (long long)k, text);
    }
    for (int64_t c = 0; c < classes; c++)
        for (int64_t k = 0; k < m; k++) {
            const double t = thresholds[k], odds = t / (1 - t);
            const peft_rates r = count(probabilities + c, targets + c, n, classes, t);
            const double known = (double)(r.tp + r.fp + r.fn + r.tn);
            model[c * m + k] = known > 0 ? (double)r.tp / known - (double)r.fp / known * odds : NAN;
            if (!all) continue;
            all[c * m + k] = known > 0 ? (double)(r.tp + r.fn) / known - (double)(r.fp + r.tn) / known * odds : NAN;
        }
    return PEFT_OK;
}
