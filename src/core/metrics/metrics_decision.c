/* SPDX-License-Identifier: Apache-2.0
 * metrics_decision.c -- metrics of decisions: from a confusion matrix, or from probabilities and targets of several
 * labels a sample (multi-label). Both are computed from one tally for each class. */
#include "core/metrics/metrics.h"
#include <math.h>
#include <stdbool.h>

/* True and false positives and negatives of one class against the rest. */
typedef struct tally { int64_t tp, fp, fn, tn; } tally;

/* a / b; 0 if b is 0. */
static double ratio(int64_t a, int64_t b) { return b ? (double)a / (double)b : 0; }

/* The value of m for one class. Macro and weighted metrics are means of such values over classes; a micro metric is the
 * value for the sum of the classes' tallies. */
static double value_of_tally(pf_metric m, const tally *t)
{
    switch (m) {
    case PF_METRIC_precision: case PF_METRIC_precision_macro: case PF_METRIC_precision_micro:
        return ratio(t->tp, t->tp + t->fp);
    case PF_METRIC_recall: case PF_METRIC_recall_macro: case PF_METRIC_recall_micro: case PF_METRIC_balanced_accuracy:
        return ratio(t->tp, t->tp + t->fn);
    case PF_METRIC_specificity:
        return ratio(t->tn, t->tn + t->fp);
    default:                                                /* f1 in its forms */
        return ratio(2 * t->tp, 2 * t->tp + t->fp + t->fn);
    }
}

/* Sums over the classes from which a metric with one value is computed. */
typedef struct summary {
    pf_metric metric;
    bool only_present;                 /* macro means leave out classes that neither occur nor are predicted */
    double sum, weight;                /* weighted sum of the classes' values, sum of the weights */
    tally all;                         /* sum of the tallies, for micro metrics */
} summary;

/* Adds class c to the sums; a metric with a value for each class is written to out[c]. */
static void add_class(summary *s, const tally *t, int64_t c, double *out)
{
    const double v = value_of_tally(s->metric, t);
    double w = 1;                                           /* weight of the class in the mean */
    switch (s->metric) {
    case PF_METRIC_precision: case PF_METRIC_recall: case PF_METRIC_specificity: case PF_METRIC_f1: out[c] = v; return;
    case PF_METRIC_precision_macro: case PF_METRIC_recall_macro: case PF_METRIC_f1_macro:
        w = !s->only_present || t->tp + t->fp + t->fn > 0;
        break;
    case PF_METRIC_balanced_accuracy: w = t->tp + t->fn > 0; break;
    case PF_METRIC_f1_weighted: w = (double)(t->tp + t->fn); break;
    default: break;
    }
    s->sum += w * v;
    s->weight += w;
    s->all.tp += t->tp;
    s->all.fp += t->fp;
    s->all.fn += t->fn;
}

/* Writes the value of a metric with one value; add_class has written those with a value for each class. */
static void write_value(const summary *s, double *out)
{
    switch (s->metric) {
    case PF_METRIC_precision: case PF_METRIC_recall: case PF_METRIC_specificity: case PF_METRIC_f1: return;
    case PF_METRIC_precision_micro: case PF_METRIC_recall_micro: case PF_METRIC_f1_micro:
        *out = value_of_tally(s->metric, &s->all);
        return;
    default: *out = s->weight > 0 ? s->sum / s->weight : 0;
    }
}

peft_status peft_metrics_confusion(const int64_t *labels, const int64_t *predicted, int64_t n, int64_t classes,
                                   int64_t *counts)
{
    const char *who = "peft_metrics_confusion";
    if (!counts) return pf_metric_null(who, "counts");
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_extents(who, classes, classes));        /* the matrix counts [classes,classes] */
    PF_TRY(pf_metric_labels(who, "labels", labels, n, classes));
    PF_TRY(pf_metric_labels(who, "predicted", predicted, n, classes));
    for (int64_t i = 0; i < classes * classes; i++) counts[i] = 0;
    for (int64_t i = 0; i < n; i++) counts[labels[i] * classes + predicted[i]]++;
    return PEFT_OK;
}

/* The tally of class c in a confusion matrix of `total` samples. */
static tally tally_of_matrix(const int64_t *counts, int64_t classes, int64_t total, int64_t c)
{
    int64_t row = 0, column = 0;
    for (int64_t j = 0; j < classes; j++) {
        row += counts[c * classes + j];
        column += counts[j * classes + c];
    }
    const int64_t tp = counts[c * classes + c];
    return (tally){ .tp = tp, .fp = column - tp, .fn = row - tp, .tn = total - row - column + tp };
}

/* Cohen's kappa: 1 - observed disagreement / disagreement expected by chance, with the margins r (true) and c
 * (predicted) of N samples. Expected disagreement without weights: N - sum r_i c_i / N; with weights (i-j)^2:
 * sum r_i i^2 + sum c_i i^2 - 2 (sum r_i i)(sum c_i i) / N. NaN when the expected disagreement is 0. */
static double kappa(const int64_t *counts, int64_t classes, int64_t total, bool quadratic)
{
    double observed = 0, products = 0, squares = 0, r_moment = 0, c_moment = 0;
    for (int64_t i = 0; i < classes; i++) {
        const tally t = tally_of_matrix(counts, classes, total, i);
        const double r = (double)(t.tp + t.fn), c = (double)(t.tp + t.fp), index = (double)i;
        products += r * c;
        squares += (r + c) * index * index;
        r_moment += r * index;
        c_moment += c * index;
        for (int64_t j = 0; j < classes; j++) {
            const double distance = (double)(i - j), w = quadratic ? distance * distance : i != j;
            observed += w * (double)counts[i * classes + j];
        }
    }
    const double n = (double)total, expected = quadratic ? squares - 2 * r_moment * c_moment / n : n - products / n;
    return expected > 0 ? 1 - observed / expected : NAN;
}

/* Matthews correlation of a confusion matrix (Gorodkin 2004): (n right - sum r_i c_i) / sqrt((n^2 - sum c_i^2)
 * (n^2 - sum r_i^2)) with the margins r (true) and c (predicted); 0 where one of the margins holds a single class. */
static double matthews(const int64_t *counts, int64_t classes, int64_t total)
{
    double right = 0, products = 0, row_squares = 0, column_squares = 0;
    for (int64_t i = 0; i < classes; i++) {
        const tally t = tally_of_matrix(counts, classes, total, i);
        const double r = (double)(t.tp + t.fn), c = (double)(t.tp + t.fp);
        right += (double)t.tp;
        products += r * c;
        row_squares += r * r;
        column_squares += c * c;
    }
    const double n = (double)total, spread = (n * n - column_squares) * (n * n - row_squares);
    return spread > 0 ? (n * right - products) / sqrt(spread) : 0;
}

/* Sets *total to the number of samples of a confusion matrix, after checking its counts. */
static peft_status matrix_total(const char *who, const int64_t *counts, int64_t classes, int64_t *total)
{
    if (!counts) return pf_metric_null(who, "counts");
    *total = 0;
    for (int64_t i = 0; i < classes * classes; i++) {
        if (counts[i] < 0 || counts[i] > INT64_MAX / 4 - *total)
            return pf_fail(PEFT_E_INVALID, "%s: counts[%lld] is %lld, expected 0 or more, and a total below 2^61", who,
                           (long long)i, (long long)counts[i]);
        *total += counts[i];
    }
    return *total ? PEFT_OK : pf_fail(PEFT_E_INVALID, "%s: all counts are 0", who);
}

peft_status peft_metrics_decision(const int64_t *counts, int64_t classes, const char *name, double *out, size_t count)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_metrics_decision";
    summary s = { .only_present = true };
    int64_t total = 0, right = 0;
    PF_TRY(pf_metric_extents(who, classes, classes));
    PF_TRY(pf_metric_find(who, PF_FAMILY_DECISION, name, classes, out, count, &s.metric));
    PF_TRY(matrix_total(who, counts, classes, &total));
    if (s.metric == PF_METRIC_accuracy) {
        for (int64_t c = 0; c < classes; c++) right += counts[c * classes + c];
        *out = (double)right / (double)total;
    } else if (s.metric == PF_METRIC_mcc) {
        *out = matthews(counts, classes, total);
    } else if (s.metric == PF_METRIC_kappa || s.metric == PF_METRIC_kappa_quadratic) {
        *out = kappa(counts, classes, total, s.metric == PF_METRIC_kappa_quadratic);
    } else {
        for (int64_t c = 0; c < classes; c++) {
            const tally t = tally_of_matrix(counts, classes, total, c);
            add_class(&s, &t, c, out);
        }
        write_value(&s, out);
    }
    return PEFT_OK;
}

/* The tally of one class: p and y point to the first sample's element of the class. Targets below 0 are not counted. */
static tally tally_of_targets(const double *p, const float *y, int64_t n, int64_t classes, double threshold)
{
    tally t = { .tp = 0 };
    for (int64_t i = 0; i < n; i++) {
        const float truth = y[i * classes];
        const int yes = p[i * classes] >= threshold;
        if (truth > 0) { if (yes) t.tp++; else t.fn++; }
        else if (truth == 0) { if (yes) t.fp++; else t.tn++; }
    }
    return t;
}

/* Thresholds [classes], or with each 0 one for all classes. */
typedef struct cuts { const double *threshold; int64_t each; } cuts;

/* The share of samples whose known targets are all predicted right, among the samples with a known target. */
static double subset_accuracy(const double *p, const float *y, int64_t n, int64_t classes, cuts t)
{
    int64_t right = 0, samples = 0;
    for (int64_t i = 0; i < n; i++) {
        int all_right = 1, known = 0;                        /* known: some target is 0 or 1 */
        for (int64_t c = 0; c < classes; c++) {
            const int64_t j = i * classes + c;
            known |= y[j] >= 0;
            all_right &= y[j] < 0 || (p[j] >= t.threshold[c * t.each]) == (y[j] > 0);
        }
        samples += known;
        right += known && all_right;
    }
    return samples ? (double)right / (double)samples : NAN;
}

/* The mean squared error over the known targets among n entries. */
static double brier(const double *p, const float *y, int64_t n)
{
    double sum = 0;
    int64_t known = 0;
    for (int64_t i = 0; i < n; i++) {
        if (y[i] < 0) continue;
        sum += (p[i] - (double)y[i]) * (p[i] - (double)y[i]);
        known++;
    }
    return known ? sum / (double)known : NAN;
}

/* Both public functions; t: checked for NaN. */
static peft_status multilabel(const char *who, const double *probabilities, const float *targets, int64_t n,
                              int64_t classes, cuts t, const char *name, double *out, size_t count)
{
    summary s = { .only_present = false };
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_find(who, PF_FAMILY_MULTILABEL, name, classes, out, count, &s.metric));
    PF_TRY(pf_metric_probabilities(who, probabilities, n, classes));
    PF_TRY(pf_metric_targets(who, targets, n, classes));
    if (s.metric == PF_METRIC_subset_accuracy) {
        *out = subset_accuracy(probabilities, targets, n, classes, t);
    } else if (s.metric == PF_METRIC_brier) {
        *out = brier(probabilities, targets, n * classes);
    } else {
        for (int64_t c = 0; c < classes; c++) {
            const tally of = tally_of_targets(probabilities + c, targets + c, n, classes, t.threshold[c * t.each]);
            add_class(&s, &of, c, out);
        }
        write_value(&s, out);
    }
    return PEFT_OK;
}

peft_status peft_metrics_multilabel(const double *probabilities, const float *targets, int64_t n, int64_t classes,
                                    double threshold, const char *name, double *out, size_t count)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_metrics_multilabel";
    if (isnan(threshold)) return pf_fail(PEFT_E_INVALID, "%s: threshold is NaN", who);
    return multilabel(who, probabilities, targets, n, classes, (cuts){ &threshold, 0 }, name, out, count);
}

peft_status peft_metrics_multilabel_at(const double *probabilities, const float *targets, int64_t n, int64_t classes,
                                       const double *thresholds, const char *name, double *out, size_t count)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_metrics_multilabel_at";
    if (!thresholds) return pf_metric_null(who, "thresholds");
    PF_TRY(pf_metric_extents(who, n, classes));
    for (int64_t c = 0; c < classes; c++)
        if (isnan(thresholds[c]))
            return pf_fail(PEFT_E_INVALID, "%s: thresholds[%lld] is NaN, expected a number: for a class without "
                           "positive or negative samples none can be chosen, so leave the class out", who,
                           (long long)c);
    return multilabel(who, probabilities, targets, n, classes, (cuts){ thresholds, 1 }, name, out, count);
}
