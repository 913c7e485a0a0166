/* SPDX-License-Identifier: Apache-2.0
 * probe.c -- <peft/probe.h>: checks of arguments, and the kinds as a table. */
#include "core/probe/probe.h"
#include <math.h>
#include <string.h>
#include "core/metrics/analysis.h"

const peft_option *peft_probe_option(size_t i) { return pf_option_at(pf_probe_options, i); }

/* A kind; options: those that it reads besides kind and standardize. */
static const struct kind {
    const char *name, *options;
    peft_status (*fit)(peft_probe *, const pf_probe_data *, const peft_options *);
    void (*score)(const peft_probe *, const double *, void *, double *);
} kinds[PF_PROBE_KINDS] = {
    [PF_PROBE_KNN] = { "knn", "distance temperature k weights", pf_knn_fit, pf_knn_score },
    [PF_PROBE_PROTOTYPES] = { "prototypes", "distance temperature", pf_prototypes_fit, pf_prototypes_score },
    [PF_PROBE_LOGISTIC] = { "logistic", "C class_weight max_iterations tolerance", pf_logistic_fit, pf_logistic_score }
};
static const char fit_name[] = "peft_probe_fit";

/* The values of text options. */
static const struct choice { const char *option, *values; } choices[] = {
    { "kind", "knn prototypes logistic" }, { "distance", "cosine euclidean" }, { "weights", "exp uniform" },
    { "class_weight", "none balanced" } };

static peft_status check_options(const peft_options *o, pf_probe_kind *out)
{
    PF_TRY(pf_options_check(o, pf_probe_options, fit_name));
    for (size_t k = 0; k < sizeof choices / sizeof *choices; k++) {
        const char *value = pf_options_string(o, pf_probe_options, choices[k].option);
        if (!*value || !pf_has_word(choices[k].values, value))
            return pf_fail(PEFT_E_OPTION, "%s: option '%s' is '%s', expected one of: %s", fit_name, choices[k].option,
                           value, choices[k].values);
    }
    const char *name = pf_options_string(o, pf_probe_options, "kind");
    pf_probe_kind kind = PF_PROBE_KNN;
    while (strcmp(kinds[kind].name, name)) kind++;
    for (const pf_opt *row = pf_probe_options + 2; row->name; row++) {           /* after kind and standardize */
        const char *given = pf_options_setting(o, row->name);
        if (given && !pf_has_word(kinds[kind].options, row->name) && !pf_option_same(row, given, row->fallback))
            return pf_fail(PEFT_E_OPTION, "%s: option '%s' is %s, but kind=%s does not read it, only: %s; leave it out",
                           fit_name, row->name, given, name, kinds[kind].options);
    }
    *out = kind;
    return PEFT_OK;
}

static peft_status check_judged(const float *targets, int64_t n, int64_t classes)
{
    for (int64_t c = 0; c < classes; c++) {
        int64_t i = 0;
        while (i < n && targets[i * classes + c] < 0) i++;
        if (i == n)
            return pf_fail(PEFT_E_INVALID, "%s: targets of class %lld are -1 (not judged) for all samples, expected a "
                           "judged one; leave the class out", fit_name, (long long)c);
    }
    return PEFT_OK;
}

static peft_status check_samples(const int64_t *labels, const float *targets, int64_t n, int64_t classes)
{
    if (!labels == !targets)
        return pf_fail(PEFT_E_INVALID, "%s: labels and targets are both %s, expected one of them and NULL for the "
                       "other", fit_name, labels ? "given" : "NULL");
    PF_TRY(pf_metric_extents(fit_name, n, classes));
    if (labels) return pf_metric_labels(fit_name, "labels", labels, n, classes);
    PF_TRY(pf_metric_targets(fit_name, targets, n, classes));
    return check_judged(targets, n, classes);
}

/* Sets what several kinds read, prepares the features and fits. */
static peft_status fit(peft_probe *p, const float *features, pf_probe_data *d, const peft_options *o)
{
    double *x = NULL;
    const bool similar = p->kind != PF_PROBE_LOGISTIC;
    p->cosine = similar && !strcmp(pf_options_string(o, pf_probe_options, "distance"), "cosine");
    p->temperature = pf_options_float(o, pf_probe_options, "temperature");
    if (!(p->temperature > 0)) p->temperature = p->cosine ? 0.07 : 1;
    if (pf_options_int(o, pf_probe_options, "standardize")) PF_TRY(pf_probe_standardize(p, features, d->n));
    PF_TRY(pf_probe_blocks(p, features, d->n, &x));
    d->x = x;
    const peft_status s = kinds[p->kind].fit(p, d, o);
    if (!s && p->kind == PF_PROBE_KNN) p->blocks = x;
    else pf_free(p->ctx, x);
    return s;
}

peft_status peft_probe_fit(peft_context *ctx, const float *features, const int64_t *labels, const float *targets,
                           int64_t n, int64_t width, int64_t classes, const peft_options *options, peft_probe **out)
{
    PK_FLOAT_SCOPE;
    if (!ctx || !out) return pf_metric_null(fit_name, ctx ? "out" : "ctx");
    pf_probe_kind kind = PF_PROBE_LOGISTIC;
    PF_TRY(check_options(options, &kind));
    PF_TRY(check_samples(labels, targets, n, classes));
    PF_TRY(pf_analysis_matrix(fit_name, features, n, width));
    peft_probe *p = NULL;
    PF_TRY(pf_probe_array(ctx, 1, 1, sizeof *p, &p));
    *p = (peft_probe){ .ctx = pf_context_retain(ctx), .kind = kind, .n = n, .width = width, .classes = classes,
                       .several = targets, .iterations = NAN, .gradient = NAN, .loss = NAN };
    pf_probe_data d = { .labels = labels, .targets = targets, .n = n };
    const peft_status s = fit(p, features, &d, options);
    if (s) peft_probe_free(p);
    else *out = p;
    return s;
}

void peft_probe_free(peft_probe *p)
{
    if (!p) return;
    peft_context *ctx = p->ctx;
    void *const owned[] = { p->mean, p->factor, p->blocks, p->labels, p->targets, p->share, p->weights, p->intercepts,
                            p };
    for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) pf_free(ctx, owned[k]);
    peft_context_free(ctx);
}

peft_status peft_probe_scores(const peft_probe *p, const float *features, int64_t n, double *scores)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_probe_scores";
    if (!p || !scores) return pf_metric_null(who, p ? "scores" : "p");
    PF_TRY(pf_metric_extents(who, n, p->classes));
    PF_TRY(pf_analysis_matrix(who, features, n, p->width));
    const size_t ranked = p->kind == PF_PROBE_KNN ? 2 * (size_t)p->n * sizeof(pf_ranked) : 0;
    const size_t bytes = ranked + (size_t)p->width * sizeof(double);
    char *memory = pf_alloc(p->ctx, bytes);
    if (!memory) return pf_nomem(who, bytes);
    double *row = (double *)(memory + ranked);
    peft_probe raw = *p;
    if (p->kind == PF_PROBE_LOGISTIC) raw.mean = NULL;       /* its weights are for features as they are given */
    for (int64_t i = 0; i < n; i++) {
        pf_probe_row(&raw, features + i * p->width, row);
        kinds[p->kind].score(p, row, memory, scores + i * p->classes);
    }
    pf_free(p->ctx, memory);
    return PEFT_OK;
}

peft_status peft_probe_weights(const peft_probe *p, double *weights, double *intercepts)
{
    const char *who = "peft_probe_weights";
    if (!p || !weights || !intercepts) return pf_metric_null(who, !p ? "p" : weights ? "intercepts" : "weights");
    if (p->kind != PF_PROBE_LOGISTIC)
        return pf_fail(PEFT_E_UNSUPPORTED, "%s: the probe is of kind %s, expected logistic", who, kinds[p->kind].name);
    memcpy(weights, p->weights, (size_t)(p->classes * p->width) * sizeof *weights);
    memcpy(intercepts, p->intercepts, (size_t)p->classes * sizeof *intercepts);
    return PEFT_OK;
}

double peft_probe_get(const peft_probe *p, const char *name)
{
    if (!p || !name) return NAN;
    const struct { const char *name; double value; } figures[] = {
        { "classes", (double)p->classes }, { "width", (double)p->width }, { "samples", (double)p->n },
        { "iterations", p->iterations }, { "gradient", p->gradient }, { "loss", p->loss } };
    for (size_t k = 0; k < sizeof figures / sizeof *figures; k++)
        if (!strcmp(figures[k].name, name)) return figures[k].value;
    return NAN;
}
