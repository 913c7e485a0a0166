/* SPDX-License-Identifier: Apache-2.0
 * features.c -- features as the probes read them: standardised, in double, in blocks of PF_LANES samples whose sums the
 * compiler computes side by side. Each sum adds its products in the order of the features, so that it does not depend
 * on the place of a sample in a block. */
#include <float.h>
#include <math.h>
#include "core/probe/probe.h"

peft_status pf_probe_array(peft_context *ctx, int64_t count, int64_t each, size_t size, void *out)
{
    size_t bytes = 0;
    void *p = NULL;
    if (pf_mul_size((size_t)count, (size_t)each, &bytes) && pf_mul_size(bytes, size, &bytes))
        p = pf_alloc_zero(ctx, bytes);
    else bytes = SIZE_MAX;
    if (!p) return pf_nomem("peft_probe_fit", bytes);
    *(void **)out = p;
    return PEFT_OK;
}

/* A feature of the variance that rounding of a constant leaves (scikit-learn's bound) is constant. */
static bool is_constant(double variance, double mean, double n)
{
    return variance <= n * DBL_EPSILON * variance + pow(n * mean * DBL_EPSILON, 2);
}

peft_status pf_probe_standardize(peft_probe *p, const float *features, int64_t n)
{
    const int64_t width = p->width;
    PF_TRY(pf_probe_array(p->ctx, width, 1, sizeof(double), &p->mean));
    PF_TRY(pf_probe_array(p->ctx, width, 1, sizeof(double), &p->factor));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++) p->mean[j] += (double)features[i * width + j];
    for (int64_t j = 0; j < width; j++) p->mean[j] /= (double)n;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++) p->factor[j] += pow((double)features[i * width + j] - p->mean[j], 2);
    for (int64_t j = 0; j < width; j++) {
        const double variance = p->factor[j] / (double)n;
        p->factor[j] = is_constant(variance, p->mean[j], (double)n) ? 0 : 1 / sqrt(variance);
    }
    return PEFT_OK;
}

void pf_probe_unit(double *row, int64_t width)
{
    double sum = 0;
    for (int64_t j = 0; j < width; j++) sum += row[j] * row[j];
    const double length = sqrt(sum);
    for (int64_t j = 0; length > 0 && j < width; j++) row[j] /= length;
}

void pf_probe_row(const peft_probe *p, const float *features, double *row)
{
    for (int64_t j = 0; j < p->width; j++) {
        row[j] = (double)features[j];
        if (p->mean) row[j] = (row[j] - p->mean[j]) * p->factor[j];
    }
    if (p->cosine) pf_probe_unit(row, p->width);
}

peft_status pf_probe_blocks(const peft_probe *p, const float *features, int64_t n, double **out)
{
    double *blocks = NULL, *row = NULL;
    PF_TRY(pf_probe_array(p->ctx, pf_probe_block_count(n) * PF_LANES, p->width, sizeof(double), &blocks));
    const peft_status s = pf_probe_array(p->ctx, p->width, 1, sizeof(double), &row);
    if (s) {
        pf_free(p->ctx, blocks);
        return s;
    }
    for (int64_t i = 0; i < n; i++) {
        double *block = blocks + i / PF_LANES * PF_LANES * p->width + i % PF_LANES;
        pf_probe_row(p, features + i * p->width, row);
        for (int64_t j = 0; j < p->width; j++) block[j * PF_LANES] = row[j];
    }
    pf_free(p->ctx, row);
    *out = blocks;
    return PEFT_OK;
}

void pf_probe_dots(const double *block, const double *v, int64_t width, double out[PF_LANES])
{
    double sum[PF_LANES] = { 0 };
    for (int64_t j = 0; j < width; j++)
        for (int i = 0; i < PF_LANES; i++) sum[i] += block[j * PF_LANES + i] * v[j];
    for (int i = 0; i < PF_LANES; i++) out[i] = sum[i];
}

double pf_probe_similarity(bool cosine, const double *a, const double *b, int64_t width)
{
    double sum = 0;
    for (int64_t j = 0; j < width; j++) sum += cosine ? a[j] * b[j] : -(a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}
