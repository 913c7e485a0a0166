/* SPDX-License-Identifier: Apache-2.0
 * figure.c -- any metric of a selection of samples: copies the samples, calls the function of metrics.h that computes
 * the metric, and finds the values that the selection leaves undefined. */
#include "core/statistics/figure.h"
#include <math.h>
#include <string.h>

/* Which samples the metrics need. over_classes: the metric is a mean over the classes that have them. */
static const struct need { const char *metric; unsigned needs; bool over_classes; } needs[] = {
    { "precision", PF_POSITIVE, false }, { "recall", PF_POSITIVE, false }, { "f1", PF_POSITIVE, false },
    { "specificity", PF_NEGATIVE, false }, { "auroc", PF_POSITIVE | PF_NEGATIVE, false },
    { "average_precision", PF_POSITIVE, false }, { "rank_ap", PF_POSITIVE, false },
    { "balanced_accuracy", PF_POSITIVE, true }, { "precision_macro", PF_POSITIVE, true },
    { "recall_macro", PF_POSITIVE, true }, { "f1_macro", PF_POSITIVE, true },
    { "mean", PF_POSITIVE, false }, { "mean_macro", PF_POSITIVE, true },
    { "auroc_macro", PF_POSITIVE | PF_NEGATIVE, true }, { "map", PF_POSITIVE, true }, { "rank_map", PF_POSITIVE, true },
    { "mcc", PF_TWO_CLASSES, false }, { "kappa", PF_TWO_CLASSES, false }, { "kappa_quadratic", PF_TWO_CLASSES, false },
};

/* The error that there is no such metric of labels, or of targets. */
static peft_status refuse_metric(const pf_figure *f)
{
    enum { MOST_NAMES = 64 };
    const char *name[MOST_NAMES], *truth = f->s->labels ? "labels" : f->s->targets ? "targets" : "values alone";
    if (peft_metrics_help(f->metric))
        return pf_fail(PEFT_E_NOTFOUND, "%s: metric '%s' cannot be computed from samples with %s", f->who, f->metric,
                       truth);
    size_t n = 0;
    for (; n < MOST_NAMES && peft_metrics_name(n); n++) name[n] = peft_metrics_name(n);
    const char *near = pf_nearest(f->metric, name, n);
    return pf_fail(PEFT_E_NOTFOUND, "%s: no metric '%s'%s%s%s", f->who, f->metric, near ? " (did you mean '" : "",
                   near ? near : "", near ? "'?)" : "");
}

/* Finds the family that computes the metric of such samples; *per_class from the number of values it writes. */
static peft_status find_metric(pf_figure *f)
{
    const pf_metric_family labels[] = { PF_FAMILY_DECISION, PF_FAMILY_RANKING, PF_FAMILY_CALIBRATION };
    const pf_metric_family targets[] = { PF_FAMILY_MULTILABEL, PF_FAMILY_RANKING };
    const pf_metric_family values[] = { PF_FAMILY_VALUES };
    const pf_metric_family *families = f->s->labels ? labels : f->s->targets ? targets : values;
    const size_t n = f->s->labels ? 3 : f->s->targets ? 2 : 1;
    const double nowhere = 0;
    pf_metric m;
    for (size_t i = 0; i < n; i++) {
        const peft_status s = pf_metric_find(f->who, families[i], f->metric, f->s->classes, &nowhere, f->count, &m);
        if (s == PEFT_E_NOTFOUND) continue;
        f->family = families[i];
        for (size_t k = 0; k < sizeof needs / sizeof *needs; k++)
            if (!s && !strcmp(f->metric, needs[k].metric)) {
                f->needs = needs[k].needs;
                f->over_classes = needs[k].over_classes;
            }
        f->per_class = f->needs & (PF_POSITIVE | PF_NEGATIVE) && !f->over_classes;
        return s;
    }
    return refuse_metric(f);
}

/* Room for m selected samples. */
static peft_status make_room(pf_figure *f, int64_t m)
{
    if (m <= f->room) return PEFT_OK;
    PF_TRY(pf_metric_extents(f->who, m, f->s->classes));
    const size_t entries = (size_t)(m * f->s->classes), rows = (size_t)m;
    pf_free(f->ctx, f->scores);
    pf_free(f->ctx, f->targets);
    pf_free(f->ctx, f->labels);
    f->room = 0;
    f->targets = NULL;
    f->labels = NULL;
    f->scores = pf_alloc(f->ctx, entries * sizeof *f->scores);
    if (!f->scores) return pf_nomem(f->who, entries * sizeof *f->scores);
    f->targets = pf_alloc(f->ctx, entries * sizeof *f->targets);
    if (!f->targets) return pf_nomem(f->who, entries * sizeof *f->targets);
    f->labels = pf_alloc(f->ctx, 2 * rows * sizeof *f->labels);
    if (!f->labels) return pf_nomem(f->who, 2 * rows * sizeof *f->labels);
    f->predicted = f->labels + rows;
    f->room = m;
    return PEFT_OK;
}

/* Whether sample i has a value of class c, in a difference both values. */
static bool has_value(const peft_samples *s, int64_t i, int64_t c)
{
    return !isnan(s->scores[i * s->classes + c]) && !(s->others && isnan(s->others[i * s->classes + c]));
}

/* Copies labels or targets of the selection, and counts for each class the samples without and with it (of values those
 * that are not NaN). */
static void select_truth(pf_figure *f, const int64_t *index, int64_t m)
{
    const int64_t classes = f->s->classes;
    int64_t *negatives = f->present, *positives = f->present + classes;
    memset(f->present, 0, (size_t)(2 * classes) * sizeof *f->present);
    for (int64_t i = 0; i < m; i++) {
        const int64_t from = index ? index[i] : i;
        if (f->s->labels) f->labels[i] = f->s->labels[from];
        for (int64_t c = 0; f->family == PF_FAMILY_VALUES && c < classes; c++) positives[c] += has_value(f->s, from, c);
        for (int64_t c = 0; f->family != PF_FAMILY_VALUES && c < classes; c++) {
            const float y = !f->s->labels ? f->s->targets[from * classes + c] : f->labels[i] == c ? 1.0f : 0.0f;
            f->targets[i * classes + c] = y;
            negatives[c] += y == 0;
            positives[c] += y > 0;
        }
    }
}

/* Computes the metric of the selection with these scores. others: the other scores of a difference, or NULL. */
static peft_status evaluate(pf_figure *f, const double *scores, const double *others, const int64_t *index, int64_t m,
                            double *values)
{
    const int64_t classes = f->s->classes;
    if (f->family == PF_FAMILY_VALUES) {
        pf_metric_means(scores, others, index, m, classes, f->over_classes, values);
        return PEFT_OK;
    }
    for (int64_t i = 0; index && i < m; i++)
        memcpy(f->scores + i * classes, scores + index[i] * classes, (size_t)classes * sizeof *scores);
    const double *x = index ? f->scores : scores;
    switch (f->family) {
    case PF_FAMILY_DECISION:
        PF_TRY(peft_metrics_decide(x, m, classes, f->predicted));
        PF_TRY(peft_metrics_confusion(f->labels, f->predicted, m, classes, f->confusion));
        return peft_metrics_decision(f->confusion, classes, f->metric, values, f->count);
    case PF_FAMILY_CALIBRATION:
        return peft_metrics_calibration(x, f->labels, m, classes, f->metric, values, f->count);
    case PF_FAMILY_RANKING:
        return peft_metrics_ranking(f->ctx, x, f->targets, m, classes, f->metric, values, f->count);
    default:
        return f->s->thresholds
             ? peft_metrics_multilabel_at(x, f->targets, m, classes, f->s->thresholds, f->metric, values, f->count)
             : peft_metrics_multilabel(x, f->targets, m, classes, 0.5, f->metric, values, f->count);
    }
}

/* Whether the selection has the samples that class c needs. */
static bool class_complete(const pf_figure *f, int64_t c)
{
    return (!(f->needs & PF_POSITIVE) || f->present[f->s->classes + c]) && (!(f->needs & PF_NEGATIVE) || f->present[c]);
}

static bool has_two_classes(const pf_figure *f)
{
    int64_t found = 0;
    for (int64_t c = 0; c < f->s->classes; c++) found += f->present[f->s->classes + c] > 0;
    return found > 1;
}

peft_status pf_figure_of(pf_figure *f, const double *scores, const double *others, const int64_t *index, int64_t m,
                         double *values)
{
    PF_TRY(make_room(f, m));
    select_truth(f, index, m);
    PF_TRY(evaluate(f, scores, others, index, m, f->values));
    if (others) PF_TRY(evaluate(f, others, scores, index, m, f->values + f->count));
    bool lost = f->needs & PF_TWO_CLASSES && !has_two_classes(f);
    for (int64_t c = 0; f->over_classes && c < f->s->classes; c++) lost |= f->complete[c] && !class_complete(f, c);
    for (size_t k = 0; k < f->count; k++) {
        const bool defined = f->per_class ? class_complete(f, (int64_t)k) : !lost;
        values[k] = !defined ? NAN : others ? f->values[k] - f->values[f->count + k] : f->values[k];
    }
    return PEFT_OK;
}

static peft_status check_samples(const char *who, const peft_samples *s)
{
    if (!s) return pf_metric_null(who, "s");
    if (!s->scores) return pf_metric_null(who, "scores");
    if (s->labels && s->targets)
        return pf_fail(PEFT_E_INVALID, "%s: labels and targets are both given, expected at most one of them", who);
    PF_TRY(pf_metric_extents(who, s->n, s->classes));
    PF_TRY(pf_metric_extents(who, s->classes, s->classes));
    if (s->labels) return pf_metric_labels(who, "labels", s->labels, s->n, s->classes);
    return s->targets ? pf_metric_targets(who, s->targets, s->n, s->classes) : PEFT_OK;
}

peft_status pf_figure_make(pf_figure *f, const char *who, peft_context *ctx, const peft_samples *s, const char *metric,
                           size_t count)
{
    *f = (pf_figure){ .who = who, .ctx = ctx, .s = s, .metric = metric, .count = count };
    if (!ctx || !metric) return pf_metric_null(who, ctx ? "metric" : "ctx");
    PF_TRY(check_samples(who, s));
    PF_TRY(find_metric(f));
    const size_t classes = (size_t)s->classes, cells = f->family == PF_FAMILY_DECISION ? classes * classes : 0;
    const size_t counts = (2 * classes + cells) * sizeof(int64_t), values = 2 * count * sizeof(double);
    f->complete = pf_alloc(ctx, classes);
    if (!f->complete) return pf_nomem(who, classes);
    f->present = pf_alloc(ctx, counts);
    if (!f->present) return pf_nomem(who, counts);
    f->confusion = f->present + 2 * classes;
    f->values = pf_alloc(ctx, values);
    if (!f->values) return pf_nomem(who, values);
    PF_TRY(make_room(f, s->n));
    select_truth(f, NULL, s->n);
    for (int64_t c = 0; c < s->classes; c++) f->complete[c] = class_complete(f, c);
    return PEFT_OK;
}

void pf_figure_free(pf_figure *f)
{
    void *const blocks[] = { f->complete, f->present, f->values, f->scores, f->targets, f->labels };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) pf_free(f->ctx, blocks[i]);
}
