/* SPDX-License-Identifier: Apache-2.0
 * one_case.c -- the network on one case, forward and backward (case_pool.h); the equations stand in
 * <peft/case_pool.h>. */
#include <math.h>
#include <string.h>
#include "core/cases/case_pool.h"
#include "core/metrics/metrics.h"

int64_t pf_case_work_count(const pf_case_shape *s, int64_t most)
{
    return most * (s->width + 2 * s->hidden + 1) + 2 * s->width + 2 * s->classes;
}

pf_case_work pf_case_work_in(const pf_case_shape *s, int64_t most, double *block)
{
    pf_case_work k = { .h = block };
    k.t = k.h + most * s->width;
    k.g = k.t + most * s->hidden;
    k.a = k.g + most * s->hidden;
    k.z = k.a + most;
    k.dz = k.z + s->width;
    k.y = k.dz + s->width;
    k.dy = k.y + s->classes;
    return k;
}

/* to [columns] = x [rows] times m [rows,columns] */
static void multiply(double *restrict to, const double *restrict x, const double *restrict m, int64_t rows,
                     int64_t columns)
{
    memset(to, 0, (size_t)columns * sizeof *to);
    for (int64_t d = 0; d < rows; d++)
        for (int64_t l = 0; l < columns; l++) to[l] += x[d] * m[d * columns + l];
}

/* to [rows,columns] += the outer product of x [rows] and y [columns] */
static void add_outer(double *restrict to, const double *restrict x, const double *restrict y, int64_t rows,
                      int64_t columns)
{
    for (int64_t d = 0; d < rows; d++)
        for (int64_t l = 0; l < columns; l++) to[d * columns + l] += x[d] * y[l];
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* h, t and g of a slice; returns w' (t * g), the logarithm of its weight before the softmax. */
static double slice_score(const peft_case_pool *p, const pf_case_params *q, const float *feature, double *h, double *t,
                          double *g)
{
    const pf_case_shape *s = &p->shape;
    double score = 0;
    for (int64_t d = 0; d < s->width; d++) h[d] = ((double)feature[d] - p->shift[d]) * p->scale[d];
    multiply(t, h, q->v, s->width, s->hidden);
    if (q->u) multiply(g, h, q->u, s->width, s->hidden);
    for (int64_t l = 0; l < s->hidden; l++) {
        t[l] = tanh(t[l]);
        g[l] = q->u ? sigmoid(g[l]) : 1;
        score += q->w[l] * t[l] * g[l];
    }
    return score;
}

void pf_case_forward(const peft_case_pool *p, const pf_case_input *in, int64_t n, pf_case_work *k)
{
    const pf_case_shape *s = &p->shape;
    const pf_case_params q = pf_case_params_in(s, p->values);
    const int64_t *slice = in->slice + in->first[n], count = in->first[n + 1] - in->first[n];
    for (int64_t i = 0; i < count; i++)
        k->a[i] = slice_score(p, &q, in->features + slice[i] * s->width, k->h + i * s->width, k->t + i * s->hidden,
                              k->g + i * s->hidden);
    pf_metric_softmax(k->a, count);
    multiply(k->z, k->a, k->h, count, s->width);
    for (int64_t c = 0; c < s->classes; c++) {
        k->y[c] = q.b[c];
        for (int64_t d = 0; d < s->width; d++) k->y[c] += q.c[c * s->width + d] * k->z[d];
    }
    if (!s->multilabel) pf_metric_softmax(k->y, s->classes);
    else for (int64_t c = 0; c < s->classes; c++) k->y[c] = sigmoid(k->y[c]);
}

/* -log(y) of a target of 1, -log(1 - y) of one of 0. A probability that was rounded to 0 gives a large number and not
 * Inf: the derivative by the logit, y - target, is right all the same. NaN stays NaN. */
static double log_loss(double y) { return -log(y < 1e-300 ? 1e-300 : y); }

/* The loss of a case, and dy: the derivative by each logit, of the mean over all that was judged. */
static double loss_of(const pf_case_shape *s, const float *target, int64_t judged, pf_case_work *k)
{
    double loss = 0;
    for (int64_t c = 0; c < s->classes; c++) {
        const bool counts = target[c] >= 0;
        k->dy[c] = counts ? (k->y[c] - (double)target[c]) / (double)judged : 0;
        if (target[c] == 1) loss += log_loss(k->y[c]);
        else if (counts && s->multilabel) loss += log_loss(1 - k->y[c]);
    }
    return loss / (double)judged;
}

/* Replaces t and g of a slice by the derivatives of the loss with respect to V h and U h; adds that by w to dw. ds: the
 * derivative by the slice's score. */
static void slice_derivatives(const pf_case_shape *s, const pf_case_params *q, double ds, double *t, double *g,
                              double *dw)
{
    for (int64_t l = 0; l < s->hidden; l++) {
        const double tl = t[l], gl = g[l];
        dw[l] += ds * tl * gl;
        t[l] = ds * q->w[l] * gl * (1 - tl * tl);
        g[l] = ds * q->w[l] * tl * gl * (1 - gl);
    }
}

double pf_case_backward(const peft_case_pool *p, const pf_case_input *in, int64_t n, pf_case_work *k, double *gradient)
{
    const pf_case_shape *s = &p->shape;
    const int64_t count = in->first[n + 1] - in->first[n];
    const double loss = loss_of(s, in->targets + n * s->classes, in->judged, k);
    if (!gradient) return loss;
    const pf_case_params q = pf_case_params_in(s, p->values), to = pf_case_params_in(s, gradient);
    double mean = 0;
    for (int64_t c = 0; c < s->classes; c++) to.b[c] += k->dy[c];
    add_outer(to.c, k->dy, k->z, s->classes, s->width);
    multiply(k->dz, k->dy, q.c, s->classes, s->width);
    for (int64_t pass = 0; pass < 2; pass++)                  /* first the mean of the derivatives by the weights a */
        for (int64_t i = 0; i < count; i++) {
            double da = 0, *h = k->h + i * s->width, *t = k->t + i * s->hidden, *g = k->g + i * s->hidden;
            for (int64_t d = 0; d < s->width; d++) da += k->dz[d] * h[d];
            if (!pass) {
                mean += k->a[i] * da;
                continue;
            }
            slice_derivatives(s, &q, k->a[i] * (da - mean), t, g, to.w);
            add_outer(to.v, h, t, s->width, s->hidden);
            if (to.u) add_outer(to.u, h, g, s->width, s->hidden);
        }
    return loss;
}
