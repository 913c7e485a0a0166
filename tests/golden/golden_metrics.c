/* SPDX-License-Identifier: Apache-2.0
 * golden_metrics.c -- peft_metrics_* against the metrics in files of golden vectors. */
#include "golden.h"
#include <peft/metrics.h>
#include <string.h>

/* expected: the name in the file. family: the function that computes it: d decision, c calibration, r ranking (l: of
 * logits instead of probabilities), m multi-label. name: the library's name. values: what is compared, the single value
 * (1), all classes (a) or class 1 (p). */
static const struct row { const char *expected; char family; const char *name; char values; } rows[] = {
    { "accuracy", 'd', "accuracy", '1' },
    { "balanced_accuracy", 'd', "balanced_accuracy", '1' },
    { "f1_macro", 'd', "f1_macro", '1' },
    { "f1_weighted", 'd', "f1_weighted", '1' },
    { "kappa", 'd', "kappa", '1' },
    { "kappa_quadratic", 'd', "kappa_quadratic", '1' },
    { "f1_positive", 'd', "f1", 'p' },
    { "sensitivity", 'd', "recall", 'p' },
    { "specificity", 'd', "specificity", 'p' },
    { "ece_15", 'c', "ece", '1' },
    { "mce_15", 'c', "mce", '1' },
    { "brier_multiclass", 'c', "brier", '1' },
    { "brier_binary", 'c', "brier_binary", '1' },
    { "nll", 'c', "nll", '1' },
    { "auroc", 'r', "auroc", 'p' },
    { "auroc_per_class", 'r', "auroc", 'a' },
    { "auroc_ovr_per_class", 'r', "auroc", 'a' },
    { "auroc_ovr_macro", 'r', "auroc_macro", '1' },
    { "auroc_ovr_macro_raw_logits", 'l', "auroc_macro", '1' },
    { "auroc_macro_defined", 'r', "auroc_macro", '1' },
    { "auroc_defined_classes", 'r', "auroc_defined", '1' },
    { "auroc_micro", 'r', "auroc_micro", '1' },
    { "average_precision", 'r', "average_precision", 'p' },
    { "average_precision_per_class", 'r', "average_precision", 'a' },
    { "map_macro", 'r', "map", '1' },
    { "map_macro_defined", 'r', "map", '1' },
    { "rank_ap_per_class", 'r', "rank_ap", 'a' },
    { "rank_map_all_classes", 'r', "rank_map", '1' },
    { "f1_macro_at_0.5", 'm', "f1_macro", '1' },
    { "subset_accuracy", 'm', "subset_accuracy", '1' },
    { "brier", 'm', "brier", '1' },
};

/* The inputs of all families for one case. labels NULL: a multi-label case. */
typedef struct data {
    int64_t n, classes;
    const int64_t *labels;
    float *targets;
    double *logits, *p;
    int64_t *counts;
} data;

/* Fills d from the inputs of a case. */
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

/* Computes a metric by the function of its family. */
static peft_status compute(golden *g, const data *d, const struct row *r, double *out, size_t count)
{
    switch (r->family) {
    case 'd': return peft_metrics_decision(d->counts, d->classes, r->name, out, count);
    case 'c': return peft_metrics_calibration(d->p, d->labels, d->n, d->classes, r->name, out, count);
    case 'm': return peft_metrics_multilabel(d->p, d->targets, d->n, d->classes, 0.5, r->name, out, count);
    default:
        return peft_metrics_ranking(g->ctx, r->family == 'l' ? d->logits : d->p, d->targets, d->n, d->classes, r->name,
                                    out, count);
    }
}

/* Checks expect.<case>.<metric>. A metric that is not in the table is a failure. */
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
    const int64_t count = r->values == '1' ? 1 : d.classes, compared = r->values == 'a' ? d.classes : 1;
    double *out = golden_memory(g, (size_t)d.classes * sizeof *out);
    if (golden_ok(g, compute(g, &d, r, out, (size_t)count), expected))
        golden_each(g, out + (r->values == 'p'), compared, 1, 1e-12, "expect.%s", expected);
}

void golden_metrics(golden *g) { golden_cases(g, "", metric); }
