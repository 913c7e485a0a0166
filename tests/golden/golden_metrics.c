/* SPDX-License-Identifier: Apache-2.0
 * golden_metrics.c -- peft_metrics_* against the metrics in files of golden vectors. */
#include "golden.h"
#include <math.h>
#include <peft/metrics.h>
#include <peft/threshold.h>
#include <string.h>

/* The function that computes a metric: peft_metrics_decision, _calibration, _ranking (of probabilities, or of logits)
 * or _multilabel; and what is compared: its single value, its values of all classes, or that of class 1 alone. */
typedef enum { DECISION, CALIBRATION, RANKING, RANKING_OF_LOGITS, MULTI_LABEL } metric_family;
typedef enum { SINGLE, EACH_CLASS, CLASS_1 } compared_values;

/* expected: the metric's name in the file; name: in the library. */
static const struct row {
    const char *expected;
    metric_family family;
    const char *name;
    compared_values values;
} rows[] = {
    { "accuracy", DECISION, "accuracy", SINGLE },
    { "balanced_accuracy", DECISION, "balanced_accuracy", SINGLE },
    { "f1_macro", DECISION, "f1_macro", SINGLE },
    { "f1_weighted", DECISION, "f1_weighted", SINGLE },
    { "kappa", DECISION, "kappa", SINGLE },
    { "kappa_quadratic", DECISION, "kappa_quadratic", SINGLE },
    { "f1_positive", DECISION, "f1", CLASS_1 },
    { "sensitivity", DECISION, "recall", CLASS_1 },
    { "specificity", DECISION, "specificity", CLASS_1 },
    { "ece_15", CALIBRATION, "ece", SINGLE },
    { "mce_15", CALIBRATION, "mce", SINGLE },
    { "brier_multiclass", CALIBRATION, "brier", SINGLE },
    { "brier_binary", CALIBRATION, "brier_binary", SINGLE },
    { "nll", CALIBRATION, "nll", SINGLE },
    { "auroc", RANKING, "auroc", CLASS_1 },
    { "auroc_per_class", RANKING, "auroc", EACH_CLASS },
    { "auroc_ovr_per_class", RANKING, "auroc", EACH_CLASS },
    { "auroc_ovr_macro", RANKING, "auroc_macro", SINGLE },
    { "auroc_ovr_macro_raw_logits", RANKING_OF_LOGITS, "auroc_macro", SINGLE },
    { "auroc_macro_defined", RANKING, "auroc_macro", SINGLE },
    { "auroc_defined_classes", RANKING, "auroc_defined", SINGLE },
    { "auroc_micro", RANKING, "auroc_micro", SINGLE },
    { "average_precision", RANKING, "average_precision", CLASS_1 },
    { "average_precision_per_class", RANKING, "average_precision", EACH_CLASS },
    { "map_macro", RANKING, "map", SINGLE },
    { "map_macro_defined", RANKING, "map", SINGLE },
    { "rank_ap_per_class", RANKING, "rank_ap", EACH_CLASS },
    { "rank_map_all_classes", RANKING, "rank_map", SINGLE },
    { "f1_macro_at_0.5", MULTI_LABEL, "f1_macro", SINGLE },
    { "subset_accuracy", MULTI_LABEL, "subset_accuracy", SINGLE },
    { "brier", MULTI_LABEL, "brier", SINGLE },
};

/* The inputs of all families for one case: n samples; targets 0 or 1 [n, classes]; p: probabilities; counts: the
 * confusion matrix. labels NULL: a multi-label case. */
typedef struct data {
    int64_t n, classes;
    const int64_t *labels;
    float *targets;
    double *logits, *p;
    int64_t *counts;
} data;

/* Fills d from the inputs of a case; false after a failure. */
static bool prepare(golden *g, const char *name, data *d)
{
    const pf_st_tensor *x = golden_find(g, "input.%s.logits", name), *l = golden_find(g, "input.%s.labels", name);
    const pf_st_tensor *t = golden_find(g, "input.%s.targets", name);
    if (!x || (!l && !t)) { golden_fail(g, "%s lacks its inputs", name); return false; }
    const float *logits = golden_raw(g, x);
    *d = (data){ .n = x->dim[0], .classes = x->dim[1], .labels = l ? golden_raw(g, l) : NULL };
    const size_t all = (size_t)(d->n * d->classes);
    d->targets = l ? golden_memory(g, all * sizeof(float)) : golden_raw(g, t);
    d->logits = golden_memory(g, all * sizeof(double));
    d->p = golden_memory(g, all * sizeof(double));
    d->counts = golden_memory(g, (size_t)(d->classes * d->classes) * sizeof(int64_t));
    int64_t *predicted = golden_memory(g, (size_t)d->n * sizeof *predicted);
    return golden_ok(g, peft_metrics_scores(logits, d->n, d->classes, "identity", d->logits), name)
        && golden_ok(g, peft_metrics_scores(logits, d->n, d->classes, l ? "softmax" : "sigmoid", d->p), name)
        && (!l || (golden_ok(g, peft_metrics_one_hot(d->labels, d->n, d->classes, d->targets), name)
                && golden_ok(g, peft_metrics_decide(d->p, d->n, d->classes, predicted), name)
                && golden_ok(g, peft_metrics_confusion(d->labels, predicted, d->n, d->classes, d->counts), name)));
}

/* Checks that threshold.h and statistics.h give the same figure: sensitivity and specificity of class 1 from decisions
 * as scores 0 and 1, and the AUROC of each class with a variance. */
static void same_elsewhere(golden *g, const data *d, const struct row *r, const double *out, const char *expected)
{
    const size_t n = (size_t)d->n;
    double *x = golden_memory(g, n * sizeof *x);
    float *y = golden_memory(g, n * sizeof *y);
    int64_t *predicted = golden_memory(g, n * sizeof *predicted);
    const bool rate = d->labels && r->family == DECISION && r->values == CLASS_1 && strcmp(r->name, "f1");
    const bool auroc = r->family == RANKING && !strcmp(r->name, "auroc");
    if (rate) golden_ok(g, peft_metrics_decide(d->p, d->n, d->classes, predicted), expected);
    for (int64_t c = r->values == CLASS_1; (rate || auroc) && c < d->classes; c++) {
        const double half = 0.5;
        peft_rates rates = { .tp = 0 };
        peft_estimate e = { .value = 0 };
        for (size_t i = 0; i < n; i++) {
            x[i] = rate ? predicted[i] == c : d->p[(int64_t)i * d->classes + c];
            y[i] = d->targets[(int64_t)i * d->classes + c];
        }
        const peft_status s = rate ? peft_threshold_rates(x, y, d->n, 1, &half, 0.95, "wilson", &rates)
                                   : peft_statistics_auroc(g->ctx, x, y, NULL, d->n, 0.95, "logit", &e);
        if (rate) e = strcmp(r->name, "recall") ? rates.specificity : rates.sensitivity;
        if (!golden_ok(g, s, expected)) return;
        if (!(fabs(e.value - out[c]) <= 1e-12) && !(isnan(e.value) && isnan(out[c])))
            golden_fail(g, "%s: %.17g with an interval, %.17g without", expected, e.value, out[c]);
    }
}

/* Computes a metric by the function of its family. */
static peft_status compute(golden *g, const data *d, const struct row *r, double *out, size_t count)
{
    switch (r->family) {
    case DECISION: return peft_metrics_decision(d->counts, d->classes, r->name, out, count);
    case CALIBRATION: return peft_metrics_calibration(d->p, d->labels, d->n, d->classes, r->name, out, count);
    case MULTI_LABEL: return peft_metrics_multilabel(d->p, d->targets, d->n, d->classes, 0.5, r->name, out, count);
    default:
        return peft_metrics_ranking(g->ctx, r->family == RANKING_OF_LOGITS ? d->logits : d->p, d->targets, d->n,
                                    d->classes, r->name, out, count);
    }
}

/* Checks expect.<case>.<metric>; expected: "<case>.<metric>". A metric that is not in the table is a failure. */
static void metric(golden *g, const char *expected)
{
    const char *dot = strchr(expected, '.');
    const struct row *r = NULL;
    char name[64];
    data d;
    for (size_t i = 0; dot && i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(dot + 1, rows[i].expected)) r = &rows[i];
    if (!r || (size_t)(dot - expected) >= sizeof name) { golden_fail(g, "%s: no such metric", expected); return; }
    memcpy(name, expected, (size_t)(dot - expected));
    name[dot - expected] = 0;
    if (!prepare(g, name, &d)) return;
    const int64_t count = r->values == SINGLE ? 1 : d.classes, compared = r->values == EACH_CLASS ? d.classes : 1;
    double *out = golden_memory(g, (size_t)d.classes * sizeof *out);
    const double *first = r->values == CLASS_1 ? out + 1 : out;
    if (golden_ok(g, compute(g, &d, r, out, (size_t)count), expected)) {
        same_elsewhere(g, &d, r, out, expected);
        golden_each(g, first, compared, GOLDEN_ABSOLUTE, 1e-12, "expect.%s", expected);
    }
}

void golden_metrics(golden *g) { golden_cases(g, "", metric); }
