/* SPDX-License-Identifier: Apache-2.0
 * metrics.c -- the table of metrics, the checks of their arguments, and the functions that make scores of logits,
 * decisions of scores, and targets of labels. */
#include "core/metrics/metrics.h"
#include <math.h>
#include <string.h>
#include "core/options/options.h"

/* The rows of metrics.def, in the order of pf_metric. */
static const struct row { const char *name, *families; int per_class; const char *help; } table[] = {
#define PF_METRIC(name, families, per_class, help) { #name, families, per_class, "[" families "] " help },
#include "core/metrics/metrics.def"
#undef PF_METRIC
};

const char *peft_metrics_name(size_t i) { return i < PF_METRICS ? table[i].name : NULL; }

const char *peft_metrics_help(const char *name)
{
    for (size_t i = 0; name && i < PF_METRICS; i++)
        if (!strcmp(name, table[i].name)) return table[i].help;
    return NULL;
}

peft_status pf_metric_null(const char *who, const char *argument)
{
    return pf_fail(PEFT_E_INVALID, "%s: %s is NULL", who, argument);
}

peft_status pf_metric_find(const char *who, pf_metric_family family, const char *name, int64_t classes,
                           const double *out, size_t count, pf_metric *metric)
{
    if (!name) return pf_metric_null(who, "name");
    if (!out) return pf_metric_null(who, "out");
    const char *in_family[PF_METRICS];
    size_t names = 0, found = PF_METRICS;              /* PF_METRICS: none found */
    for (size_t i = 0; i < PF_METRICS; i++) {
        if (!strchr(table[i].families, family)) continue;
        in_family[names++] = table[i].name;
        if (!strcmp(name, table[i].name)) found = i;
    }
    if (found == PF_METRICS) {
        const char *near = pf_nearest(name, in_family, names);
        return pf_fail(PEFT_E_NOTFOUND, "%s: this function has no metric '%s'%s%s%s", who, name,
                       near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    const size_t writes = table[found].per_class ? (size_t)classes : 1;
    if (count != writes)
        return pf_fail(PEFT_E_SHAPE, "%s: count is %zu, metric '%s' writes %zu value%s", who, count, name, writes,
                       writes == 1 ? "" : "s");
    *metric = (pf_metric)found;
    return PEFT_OK;
}

peft_status pf_metric_extents(const char *who, int64_t n, int64_t classes)
{
    if (n < 1) return pf_fail(PEFT_E_INVALID, "%s: n is %lld, expected at least 1", who, (long long)n);
    if (classes < 1)
        return pf_fail(PEFT_E_INVALID, "%s: classes is %lld, expected at least 1", who, (long long)classes);
    /* 16: an array with an entry of up to 16 bytes for each sample and class has a size below 2^63 */
    if (n > INT64_MAX / 16 / classes)
        return pf_fail(PEFT_E_INVALID, "%s: %lld x %lld entries are too many", who, (long long)n, (long long)classes);
    return PEFT_OK;
}

peft_status pf_metric_labels(const char *who, const char *argument, const int64_t *v, int64_t n, int64_t classes)
{
    if (!v) return pf_metric_null(who, argument);
    for (int64_t i = 0; i < n; i++)
        if (v[i] < 0 || v[i] >= classes)
            return pf_fail(PEFT_E_INVALID, "%s: %s[%lld] is %lld, expected 0..%lld", who, argument, (long long)i,
                           (long long)v[i], (long long)classes - 1);
    return PEFT_OK;
}

/* Returns the error s about element i, which is v, of a matrix [n, classes]; the message names sample and class. */
static peft_status refuse_entry(peft_status s, const char *who, const char *argument, int64_t i, int64_t classes,
                                double v, const char *expected)
{
    char text[40];
    pf_print_float(text, sizeof text, v);
    return pf_fail(s, "%s: %s[%lld] (sample %lld, class %lld) is %s, expected %s", who, argument, (long long)i,
                   (long long)(i / classes), (long long)(i % classes), text, expected);
}

peft_status pf_metric_targets(const char *who, const float *v, int64_t n, int64_t classes)
{
    if (!v) return pf_metric_null(who, "targets");
    for (int64_t i = 0; i < n * classes; i++)
        if (v[i] != 0 && v[i] != 1 && v[i] != -1)
            return refuse_entry(PEFT_E_INVALID, who, "targets", i, classes, (double)v[i], "0, 1 or -1 (not judged)");
    return PEFT_OK;
}

peft_status pf_metric_scores(const char *who, const double *v, int64_t n, int64_t classes)
{
    if (!v) return pf_metric_null(who, "scores");
    for (int64_t i = 0; i < n * classes; i++)
        if (isnan(v[i])) return refuse_entry(PEFT_E_NONFINITE, who, "scores", i, classes, v[i], "a number");
    return PEFT_OK;
}

peft_status pf_metric_probabilities(const char *who, const double *v, int64_t n, int64_t classes)
{
    if (!v) return pf_metric_null(who, "probabilities");
    for (int64_t i = 0; i < n * classes; i++)
        if (!(v[i] >= 0 && v[i] <= 1))
            return refuse_entry(isfinite(v[i]) ? PEFT_E_INVALID : PEFT_E_NONFINITE, who, "probabilities", i, classes,
                                v[i], "0..1");
    return PEFT_OK;
}

peft_status pf_metric_logits(const char *who, const float *v, int64_t n, int64_t classes)
{
    for (int64_t i = 0; i < n * classes; i++)
        if (!isfinite(v[i]))
            return refuse_entry(PEFT_E_NONFINITE, who, "logits", i, classes, (double)v[i], "a finite number");
    return PEFT_OK;
}

int64_t pf_metric_largest(const double *row, int64_t classes)
{
    int64_t best = 0;
    for (int64_t j = 1; j < classes; j++) if (row[j] > row[best]) best = j;
    return best;
}

/* The largest logit is subtracted, so that exp cannot overflow. */
void pf_metric_softmax(double *row, int64_t classes)
{
    const double max = row[pf_metric_largest(row, classes)];
    double sum = 0;
    for (int64_t j = 0; j < classes; j++) {
        row[j] = exp(row[j] - max);
        sum += row[j];
    }
    for (int64_t j = 0; j < classes; j++) row[j] /= sum;
}

/* 1 / (1 + e^-x), written so that exp cannot overflow. */
double pf_metric_sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

peft_status peft_metrics_scores(const float *logits, int64_t n, int64_t classes, const char *link, double *scores)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_metrics_scores";
    if (!logits || !link || !scores) return pf_metric_null(who, !logits ? "logits" : !link ? "link" : "scores");
    PF_TRY(pf_metric_extents(who, n, classes));
    const int is_softmax = !strcmp(link, "softmax"), is_sigmoid = !strcmp(link, "sigmoid");
    if (!is_softmax && !is_sigmoid && strcmp(link, "identity"))
        return pf_fail(PEFT_E_INVALID, "%s: link is '%s', expected softmax, sigmoid or identity", who, link);
    PF_TRY(pf_metric_logits(who, logits, n, classes));
    for (int64_t i = 0; i < n * classes; i++)
        scores[i] = is_sigmoid ? pf_metric_sigmoid((double)logits[i]) : (double)logits[i];
    for (int64_t i = 0; is_softmax && i < n; i++) pf_metric_softmax(scores + i * classes, classes);
    return PEFT_OK;
}

peft_status peft_metrics_decide(const double *scores, int64_t n, int64_t classes, int64_t *predicted)
{
    const char *who = "peft_metrics_decide";
    if (!predicted) return pf_metric_null(who, "predicted");
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_scores(who, scores, n, classes));
    for (int64_t i = 0; i < n; i++) predicted[i] = pf_metric_largest(scores + i * classes, classes);
    return PEFT_OK;
}

peft_status peft_metrics_one_hot(const int64_t *labels, int64_t n, int64_t classes, float *targets)
{
    const char *who = "peft_metrics_one_hot";
    if (!targets) return pf_metric_null(who, "targets");
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_labels(who, "labels", labels, n, classes));
    for (int64_t i = 0; i < n * classes; i++) targets[i] = labels[i / classes] == i % classes ? 1.0f : 0.0f;
    return PEFT_OK;
}
