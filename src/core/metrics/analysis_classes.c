/* SPDX-License-Identifier: Apache-2.0
 * analysis_classes.c -- how well the features of classes are separated: scatter within and between classes, silhouette
 * coefficient. */
#include "core/metrics/analysis.h"
#include <math.h>
#include <string.h>

peft_status pf_analysis_features(const char *who, const peft_context *ctx, const float *features, int64_t n,
                                 int64_t width)
{
    if (!ctx || !features) return pf_metric_null(who, ctx ? "features" : "ctx");
    if (n < 2) return pf_fail(PEFT_E_INVALID, "%s: n is %lld, expected at least 2 images", who, (long long)n);
    return pf_analysis_matrix(who, features, n, width);
}

peft_status pf_analysis_matrix(const char *who, const float *features, int64_t n, int64_t width)
{
    if (!features) return pf_metric_null(who, "features");
    if (width < 1) return pf_fail(PEFT_E_INVALID, "%s: width is %lld, expected at least 1", who, (long long)width);
    const int64_t most_bytes = 4 * sizeof(double);           /* that an analysis allocates for a feature: decompose */
    if (n > INT64_MAX / most_bytes / width)
        return pf_fail(PEFT_E_INVALID, "%s: %lld x %lld features are too many", who, (long long)n, (long long)width);
    for (int64_t i = 0; i < n * width; i++)
        if (!isfinite(features[i]))
            return pf_fail(PEFT_E_NONFINITE, "%s: features[%lld] (image %lld, column %lld) is %s, expected a finite "
                           "number", who, (long long)i, (long long)(i / width), (long long)(i % width),
                           isnan(features[i]) ? "NaN" : "infinite");
    return PEFT_OK;
}

/* Checks all arguments of a function with labels and allocates *memory of 8 (extra + 1) classes bytes, zeros, whose
 * first [classes] elements become the numbers of images of each class. The caller frees it. */
static peft_status count_classes(const char *who, peft_context *ctx, const float *features, const int64_t *labels,
                                 int64_t n, int64_t width, int64_t classes, int64_t extra, double **memory)
{
    PF_TRY(pf_analysis_features(who, ctx, features, n, width));
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_labels(who, "labels", labels, n, classes));
    size_t bytes;
    if (!pf_mul_size((size_t)classes, ((size_t)extra + 1) * sizeof(double), &bytes))
        return pf_fail(PEFT_E_INVALID, "%s: %lld classes are too many", who, (long long)classes);
    double *count = pf_alloc_zero(ctx, bytes);
    if (!count) return pf_nomem(who, bytes);
    int64_t present = 0;
    for (int64_t i = 0; i < n; i++) present += count[labels[i]]++ == 0;
    if (present < 2) {
        pf_free(ctx, count);
        return pf_fail(PEFT_E_INVALID, "%s: all images are of class %lld, expected images of two classes or more", who,
                       (long long)labels[0]);
    }
    *memory = count;
    return PEFT_OK;
}

static double squared_distance(const double *a, const double *b, int64_t width)
{
    double sum = 0;
    for (int64_t j = 0; j < width; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}

peft_status peft_analysis_scatter(peft_context *ctx, const float *features, const int64_t *labels, int64_t n,
                                  int64_t width, int64_t classes, double *intra, double *inter)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_analysis_scatter";
    double *count, within = 0, between = 0;
    if (!intra || !inter) return pf_metric_null(who, intra ? "inter" : "intra");
    PF_TRY(count_classes(who, ctx, features, labels, n, width, classes, width, &count));
    double *mean = count + classes;                          /* [classes, width] */
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++) mean[labels[i] * width + j] += (double)features[i * width + j];
    for (int64_t c = 0; c < classes; c++)
        for (int64_t j = 0; j < width && count[c] > 0; j++) mean[c * width + j] /= count[c];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++) {
            const double d = (double)features[i * width + j] - mean[labels[i] * width + j];
            within += d * d;
        }
    for (int64_t a = 0; a < classes; a++)
        for (int64_t b = a + 1; b < classes; b++)
            if (count[a] > 0 && count[b] > 0)
                between += squared_distance(mean + a * width, mean + b * width, width);
    pf_free(ctx, count);
    *intra = within;
    *inter = between;
    return PEFT_OK;
}

/* Euclidean distance of two images. */
static double distance(const float *a, const float *b, int64_t width)
{
    double sum = 0;
    for (int64_t j = 0; j < width; j++) {
        const double d = (double)a[j] - (double)b[j];
        sum += d * d;
    }
    return sqrt(sum);
}

/* The silhouette coefficient of an image of class `own`; sum [classes]: of its distances to the images of a class. */
static double silhouette(const double *sum, const double *count, int64_t classes, int64_t own)
{
    if (count[own] < 2) return 0;
    const double a = sum[own] / (count[own] - 1);            /* the image itself does not count */
    double b = INFINITY;
    for (int64_t c = 0; c < classes; c++)
        if (c != own && count[c] > 0) b = fmin(b, sum[c] / count[c]);
    return fmax(a, b) > 0 ? (b - a) / fmax(a, b) : 0;
}

peft_status peft_analysis_silhouette(peft_context *ctx, const float *features, const int64_t *labels, int64_t n,
                                     int64_t width, int64_t classes, double *mean, double *samples)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_analysis_silhouette";
    double *count, total = 0, most = 0;
    if (!mean) return pf_metric_null(who, "mean");
    const int64_t sums = 1;                                  /* extra arrays [classes] behind count */
    PF_TRY(count_classes(who, ctx, features, labels, n, width, classes, sums, &count));
    double *sum = count + classes;
    for (int64_t c = 0; c < classes; c++) most = fmax(most, count[c]);
    if (most < 2) {
        pf_free(ctx, count);
        return pf_fail(PEFT_E_INVALID, "%s: each class has one image, expected a class with two or more", who);
    }
    for (int64_t i = 0; i < n; i++) {
        memset(sum, 0, (size_t)classes * sizeof *sum);
        for (int64_t j = 0; j < n; j++) sum[labels[j]] += distance(features + i * width, features + j * width, width);
        const double s = silhouette(sum, count, classes, labels[i]);
        if (samples) samples[i] = s;
        total += s;
    }
    pf_free(ctx, count);
    *mean = total / (double)n;
    return PEFT_OK;
}
