/* SPDX-License-Identifier: Apache-2.0
 * prototypes.c -- class means: a sample belongs to the class whose mean is most similar. */
#include <math.h>
#include "core/metrics/metrics.h"
#include "core/probe/probe.h"

/* Row r of p->weights: the mean of the samples whose target for a class is `target`. */
static void set_mean(peft_probe *p, const pf_probe_data *d, int64_t r, int64_t c, int target)
{
    double *mean = p->weights + r * p->width;
    int64_t count = 0;
    for (int64_t i = 0; i < d->n; i++) {
        if (pf_probe_target(d, p->classes, i, c) != target) continue;
        const double *x = d->x + i / PF_LANES * PF_LANES * p->width + i % PF_LANES;
        for (int64_t j = 0; j < p->width; j++) mean[j] += x[j * PF_LANES];
        count++;
    }
    p->intercepts[r] = count ? 0 : -INFINITY;
    for (int64_t j = 0; count && j < p->width; j++) mean[j] /= (double)count;
    if (p->cosine) pf_probe_unit(mean, p->width);
}

peft_status pf_prototypes_fit(peft_probe *p, const pf_probe_data *d, const peft_options *o)
{
    const int64_t rows = p->several ? 2 * p->classes : p->classes;
    (void)o;
    PF_TRY(pf_probe_array(p->ctx, rows, p->width, sizeof(double), &p->weights));
    PF_TRY(pf_probe_array(p->ctx, rows, 1, sizeof(double), &p->intercepts));
    for (int64_t r = 0; r < rows; r++) set_mean(p, d, r, r % p->classes, !p->several || r >= p->classes);
    return PEFT_OK;
}

/* The similarity of the row to mean r; -Inf: there is no mean. */
static double similarity(const peft_probe *p, const double *row, int64_t r)
{
    return pf_probe_similarity(p->cosine, row, p->weights + r * p->width, p->width) + p->intercepts[r];
}

/* (a - b) / temperature, which is 0 for equal ones whatever the temperature. */
static double logit(const peft_probe *p, double a, double b) { return a == b ? 0 : (a - b) / p->temperature; }

void pf_prototypes_score(const peft_probe *p, const double *row, void *scratch, double *scores)
{
    (void)scratch;
    if (p->several) {
        for (int64_t c = 0; c < p->classes; c++)
            scores[c] = pf_metric_sigmoid(logit(p, similarity(p, row, p->classes + c), similarity(p, row, c)));
        return;
    }
    for (int64_t c = 0; c < p->classes; c++) scores[c] = similarity(p, row, c);
    const double largest = scores[pf_metric_largest(scores, p->classes)];
    for (int64_t c = 0; c < p->classes; c++) scores[c] = logit(p, scores[c], largest);
    pf_metric_softmax(scores, p->classes);
}
