/* SPDX-License-Identifier: Apache-2.0
 * logistic_fit.c -- fits kind logistic: problems from labels or targets, their weights and their solutions. */
#include <math.h>
#include <string.h>
#include "core/metrics/metrics.h"
#include "core/probe/logistic.h"
#include "core/probe/minimise.h"

/* A fit: the problem, and the memory of the minimiser. */
typedef struct fitting {
    peft_probe *p;
    pf_logistic l;
    int64_t *row_of, *count;             /* [classes]: the row of a class that has samples; [classes + 2]: samples of
                                          * each target */
    double *v, *scale, *memory;
    double C, tolerance;
    int64_t max_iterations;
    bool balanced;
} fitting;

/* Sets the weights of the samples of `kinds` different targets with `count` samples each. */
static void set_weights(fitting *f, int64_t kinds)
{
    pf_logistic *l = &f->l;
    int64_t judged = 0;
    for (int64_t r = 0; r < kinds; r++) judged += f->count[r];
    l->weights = 0;
    for (int64_t i = 0; i < l->n; i++) {
        l->weight[i] = l->target[i] < 0 ? 0 : 1;
        if (l->target[i] >= 0 && f->balanced)
            l->weight[i] = (double)judged / ((double)kinds * (double)f->count[l->target[i]]);
        l->weights += l->weight[i];
    }
    l->penalty = 1 / (f->C * l->weights);
}

/* Stores row r of the solution as the classifier of class c, for features as they are given. */
static void store_row(const fitting *f, int64_t r, int64_t c)
{
    peft_probe *p = f->p;
    const double *v = f->v + r * (p->width + 1);
    p->intercepts[c] = v[p->width];
    for (int64_t j = 0; j < p->width; j++) {
        p->weights[c * p->width + j] = p->mean ? v[j] * p->factor[j] : v[j];
        if (p->mean) p->intercepts[c] -= p->weights[c * p->width + j] * p->mean[j];
    }
}

static peft_status not_converged(const fitting *f, const pf_minimum *m)
{
    char gradient[40], tolerance[40];
    pf_print_digits(gradient, sizeof gradient, m->gradient, 3);
    pf_print_float(tolerance, sizeof tolerance, f->tolerance);
    if (m->end == PF_END_ROUNDING)
        return pf_fail(PEFT_E_OPTION, "peft_probe_fit: rounding errors stopped logistic regression after %lld "
                       "iterations at the gradient %s, above tolerance %s; give standardize=true, or a larger "
                       "tolerance",
                       (long long)m->iterations, gradient, tolerance);
    return pf_fail(PEFT_E_OPTION, "peft_probe_fit: logistic regression has the gradient %s after max_iterations, %lld, "
                   "expected at most tolerance, %s; give more iterations, standardize=true, a smaller C or a larger "
                   "tolerance", gradient, (long long)f->max_iterations, tolerance);
}

/* Solves the problem of `rows` rows, whose targets are set. */
static peft_status solve(fitting *f, int64_t rows)
{
    pf_logistic *l = &f->l;
    peft_probe *p = f->p;
    l->rows = rows;
    set_weights(f, rows == 1 ? 2 : rows);
    const int64_t size = rows * (p->width + 1);
    pf_logistic_scale(l, f->scale);
    memset(f->v, 0, (size_t)size * sizeof *f->v);
    const pf_minimum m = pf_minimise(&(pf_function){ size, pf_logistic_value, l, f->scale }, f->v, f->memory,
                                     f->tolerance, f->max_iterations);
    p->iterations = fmax(p->iterations, (double)m.iterations);
    p->gradient = fmax(p->gradient, m.gradient);
    p->loss += m.value;
    if (m.end != PF_END_CONVERGED) return not_converged(f, &m);
    if (pf_logistic_separated(l, f->v, f->tolerance, f->scale))
        pf_warn(p->ctx, "peft_probe_fit: the features separate all training samples, and option C is so large that "
                "tolerance alone bounds the weights: probabilities near 0 and 1 mean little; give a smaller C");
    return PEFT_OK;
}

/* One label a sample: the classes that have samples. */
static peft_status fit_classes(fitting *f, const pf_probe_data *d)
{
    peft_probe *p = f->p;
    int64_t present = 0;
    for (int64_t i = 0; i < p->n; i++) f->count[d->labels[i]]++;
    for (int64_t c = 0; c < p->classes; c++) {
        f->row_of[c] = present;
        p->intercepts[c] = f->count[c] ? 0 : -INFINITY;
        if (f->count[c]) f->count[present++] = f->count[c];
    }
    for (int64_t i = 0; i < p->n; i++) f->l.target[i] = f->row_of[d->labels[i]];
    if (present == 1) return PEFT_OK;
    PF_TRY(solve(f, present == 2 ? 1 : present));
    for (int64_t c = 0; c < p->classes; c++) {
        if (!isfinite(p->intercepts[c])) continue;
        if (present > 2) store_row(f, f->row_of[c], c);
        else if (f->row_of[c] == 1) store_row(f, 0, c);
    }
    return PEFT_OK;
}

/* Several labels a sample: each against the rest. */
static peft_status fit_labels(fitting *f, const pf_probe_data *d)
{
    peft_probe *p = f->p;
    for (int64_t c = 0; c < p->classes; c++) {
        f->count[0] = f->count[1] = 0;
        for (int64_t i = 0; i < p->n; i++) {
            f->l.target[i] = pf_probe_target(d, p->classes, i, c);
            if (f->l.target[i] >= 0) f->count[f->l.target[i]]++;
        }
        if (!f->count[0] || !f->count[1]) p->intercepts[c] = f->count[0] ? -INFINITY : INFINITY;
        else {
            PF_TRY(solve(f, 1));
            store_row(f, 0, c);
        }
    }
    p->loss /= (double)p->classes;
    return PEFT_OK;
}

static peft_status allocate(fitting *f)
{
    peft_probe *p = f->p;
    peft_context *ctx = p->ctx;
    const int64_t row = p->width + 1, rows = p->several || p->classes < 3 ? 1 : p->classes;
    PF_TRY(pf_probe_array(ctx, p->classes, p->width, sizeof(double), &p->weights));
    PF_TRY(pf_probe_array(ctx, p->classes, 1, sizeof(double), &p->intercepts));
    PF_TRY(pf_probe_array(ctx, p->n, 1, sizeof *f->l.target, &f->l.target));
    PF_TRY(pf_probe_array(ctx, p->n, 1, sizeof *f->l.weight, &f->l.weight));
    PF_TRY(pf_probe_array(ctx, rows, PF_LANES + 1, sizeof *f->l.logits, &f->l.logits));
    PF_TRY(pf_probe_array(ctx, p->classes, 1, sizeof *f->row_of, &f->row_of));
    PF_TRY(pf_probe_array(ctx, p->classes + 2, 1, sizeof *f->count, &f->count));
    PF_TRY(pf_probe_array(ctx, rows, row, sizeof *f->v, &f->v));
    PF_TRY(pf_probe_array(ctx, rows, row, sizeof *f->scale, &f->scale));
    return pf_probe_array(ctx, rows, pf_minimise_numbers(row), sizeof *f->memory, &f->memory);
}

peft_status pf_logistic_fit(peft_probe *p, const pf_probe_data *d, const peft_options *o)
{
    fitting f = { .p = p, .l = { .x = d->x, .n = d->n, .width = p->width },
                  .C = pf_options_float(o, pf_probe_options, "C"),
                  .tolerance = pf_options_float(o, pf_probe_options, "tolerance"),
                  .max_iterations = pf_options_int(o, pf_probe_options, "max_iterations"),
                  .balanced = !strcmp(pf_options_string(o, pf_probe_options, "class_weight"), "balanced") };
    p->iterations = p->gradient = p->loss = 0;
    peft_status s = allocate(&f);
    if (!s) s = p->several ? fit_labels(&f, d) : fit_classes(&f, d);
    void *const owned[] = { f.l.target, f.l.weight, f.l.logits, f.row_of, f.count, f.v, f.scale, f.memory };
    for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) pf_free(p->ctx, owned[k]);
    return s;
}

void pf_logistic_score(const peft_probe *p, const double *row, void *scratch, double *scores)
{
    (void)scratch;
    for (int64_t c = 0; c < p->classes; c++) {
        const double z = pf_dot(row, p->weights + c * p->width, p->width) + p->intercepts[c];
        scores[c] = p->several ? pf_metric_sigmoid(z) : z;
    }
    if (!p->several) pf_metric_softmax(scores, p->classes);
}
