/* SPDX-License-Identifier: Apache-2.0
 * analysis_spectrum.c -- what the singular values and vectors of a matrix of features tell: effective rank, principal
 * components. */
#include "core/metrics/analysis.h"
#include <float.h>
#include <math.h>
#include <stdbool.h>

/* A matrix [n,width] in double, with its singular values. tall: it has at least as many rows as columns; its vectors
 * are then its columns, else its rows. */
typedef struct spectrum {
    bool tall;
    int64_t m, length;                   /* number of vectors, min(n, width), and their length, max(n, width) */
    double *vectors, *values, *directions, *mean;            /* [m,length], [m], [m,m], [width] or NULL */
} spectrum;

/* Copies the features, minus their mean if centred is true, and computes the singular values. The caller frees
 * s->vectors, the begin of one block of memory. */
static peft_status decompose(spectrum *s, const char *who, peft_context *ctx, const float *features, int64_t n,
                             int64_t width, bool centred)
{
    PF_TRY(pf_analysis_features(who, ctx, features, n, width));
    s->tall = n >= width;
    s->m = s->tall ? width : n;
    s->length = s->tall ? n : width;
    const size_t elements = (size_t)(n * width), m = (size_t)s->m;      /* m m <= elements < 2^58 */
    const size_t bytes = (elements + m * m + m + (centred ? (size_t)width : 0)) * sizeof(double);
    s->vectors = pf_alloc_zero(ctx, bytes);
    if (!s->vectors) return pf_nomem(who, bytes);
    s->directions = s->vectors + elements;
    s->values = s->directions + m * m;
    s->mean = centred ? s->values + m : NULL;
    for (int64_t i = 0; centred && i < n * width; i++) s->mean[i % width] += (double)features[i];
    for (int64_t j = 0; centred && j < width; j++) s->mean[j] /= (double)n;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++)
            s->vectors[s->tall ? j * n + i : i * width + j] =
                (double)features[i * width + j] - (centred ? s->mean[j] : 0);
    pf_singular_values(s->vectors, s->m, s->length, s->values, s->directions);
    return PEFT_OK;
}

peft_status peft_analysis_effective_rank(peft_context *ctx, const float *features, int64_t n, int64_t width,
                                         double *rank)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_analysis_effective_rank";
    const bool as_given = false;
    spectrum s;
    double sum = 0, entropy = 0;
    if (!rank) return pf_metric_null(who, "rank");
    PF_TRY(decompose(&s, who, ctx, features, n, width, as_given));
    for (int64_t k = 0; k < s.m; k++) sum += s.values[k];
    for (int64_t k = 0; k < s.m; k++) {
        const double p = sum > 0 ? s.values[k] / sum : 0;
        if (p > 0) entropy -= p * log(p);
    }
    pf_free(ctx, s.vectors);
    *rank = sum > 0 ? exp(entropy) : 0;
    return PEFT_OK;
}

/* Writes the coordinates of the images on component k, a column of projection. Those of a tall matrix are products with
 * the right singular vector; those of a wide one, whose transpose was decomposed, are the direction itself. */
static void project(const spectrum *s, const float *features, int64_t n, int64_t width, int64_t k, int64_t components,
                    double *projection)
{
    const double *direction = s->directions + k * s->m;
    double largest = 0, first = 0;       /* magnitude of the largest coordinate; the first one as large */
    for (int64_t i = 0; i < n; i++) {
        double x = 0;
        if (s->tall) {
            for (int64_t j = 0; j < width; j++)
                x += ((double)features[i * width + j] - s->mean[j]) * (direction[j] / s->values[k]);
        } else x = direction[i];
        projection[i * components + k] = x;
        largest = fmax(largest, fabs(x));
    }
    for (int64_t i = n; i-- > 0;)
        if (fabs(projection[i * components + k]) >= largest * (1 - 1e-9)) first = projection[i * components + k];
    for (int64_t i = 0; first < 0 && i < n; i++) projection[i * components + k] = -projection[i * components + k];
}

peft_status peft_analysis_pca(peft_context *ctx, const float *features, int64_t n, int64_t width, int64_t components,
                              double *projection, double *share)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_analysis_pca";
    const bool centred = true;
    spectrum s;
    double total = 0;
    if (!projection) return pf_metric_null(who, "projection");
    if (components < 1 || components > n || components > width)
        return pf_fail(PEFT_E_INVALID, "%s: components is %lld, expected 1 to %lld, the smaller of n and width", who,
                       (long long)components, (long long)(n < width ? n : width));
    PF_TRY(decompose(&s, who, ctx, features, n, width, centred));
    double largest = s.values[0];
    for (int64_t k = 0; k < s.m; k++) total += s.values[k] * s.values[k];
    for (int64_t j = 0; j < width; j++) largest = fmax(largest, sqrt((double)n) * fabs(s.mean[j]));
    const double least = (double)s.length * DBL_EPSILON * largest;           /* up to here a value is rounding error */
    for (int64_t k = 0; k < components; k++) {
        const bool counts = s.values[k] > least;
        if (share) share[k] = counts ? s.values[k] * s.values[k] / total : 0;
        if (counts) project(&s, features, n, width, k, components, projection);
        else for (int64_t i = 0; i < n; i++) projection[i * components + k] = 0;
    }
    pf_free(ctx, s.vectors);
    return PEFT_OK;
}
