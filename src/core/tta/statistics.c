/* SPDX-License-Identifier: Apache-2.0
 * statistics.c -- mean and unbiased standard deviation of the taps over training images. Each row is added by itself,
 * in the order of the images, by the recurrence of Welford (Technometrics, 1962): the result does not depend on how the
 * images are divided into calls. */
#include <math.h>
#include <string.h>
#include "core/model/locks.h"
#include "core/tta/adaptor.h"

int64_t pf_tta_features(const peft_adaptor *a)
{
    return a->model->backbone->shape.depth * a->model->backbone->shape.width;
}

static size_t feature_bytes(const peft_adaptor *a, size_t element) { return (size_t)pf_tta_features(a) * element; }

pf_source_statistics *pf_tta_stored(const peft_adaptor *a)
{
    return &a->model->source[a->taps == PF_TTA_ALL_TOKENS ? PF_SOURCE_ALL_TOKENS : PF_SOURCE_CLASS_TOKEN];
}

/* Takes the statistics that the model has stored. They are not used if the model has been trained since. */
static void take_stored(peft_adaptor *a)
{
    pf_statistics *t = &a->statistics;
    const pf_source_statistics *s = pf_tta_stored(a);
    pf_model_lock_read(a->model);
    const bool fits = s->images && s->model_checksum == pf_model_checksum(a->model);
    if (s->images && !fits)
        pf_warn(a->ctx, "the statistics of training images that are stored in the model belong to other values of its "
                "parameters and are not used: give training images by peft_adaptor_source, and store them again");
    if (fits) {
        memcpy(t->mean, s->mean, feature_bytes(a, sizeof(double)));
        memcpy(t->deviation, s->deviation, feature_bytes(a, sizeof(double)));
        t->images = s->images;
        t->model_checksum = s->model_checksum;
        t->stored = 1;
    }
    pf_model_unlock(a->model);
    pf_tta_statistics_ready(a);
}

peft_status pf_tta_statistics(peft_adaptor *a)
{
    pf_statistics *t = &a->statistics;
    double **const exact[] = { &t->mean, &t->squares, &t->deviation };
    pk_real **const read[] = { &t->mean_real, &t->deviation_real };
    peft_status s = PEFT_OK;
    for (int i = 0; i < 3 && !s; i++) *exact[i] = pf_tta_memory(a, "statistics", feature_bytes(a, sizeof(double)), &s);
    for (int i = 0; i < 2 && !s; i++) *read[i] = pf_tta_memory(a, "statistics", feature_bytes(a, sizeof(pk_real)), &s);
    if (!s) take_stored(a);
    return s;
}

peft_status pf_tta_needs_source(const peft_adaptor *a)
{
    if (a->statistics.images > 1) return PEFT_OK;
    return pf_fail(PEFT_E_STATE, "kind=%s compares images with statistics of training images, of which it has %lld, "
                   "and needs 2 or more: call peft_adaptor_source with images of the training data, without labels (32 "
                   "are enough), or use a model that has the statistics stored (peft_adaptor_store_source)",
                   a->kind->name, (long long)a->statistics.images);
}

peft_status pf_tta_check_source(const peft_adaptor *a)
{
    if (!a->statistics.images || a->statistics.model_checksum == pf_model_checksum(a->model)) return PEFT_OK;
    return pf_fail(PEFT_E_STATE, "the model has been trained since the adaptor got its training images, and their "
                   "statistics belong to the earlier values of its parameters: give the images again by "
                   "peft_adaptor_source");
}

void pf_tta_statistics_ready(peft_adaptor *a)
{
    const pf_statistics *t = &a->statistics;
    const int64_t n = pf_tta_features(a);
    for (int64_t i = 0; i < n; i++) {
        t->mean_real[i] = (pk_real)t->mean[i];
        t->deviation_real[i] = (pk_real)t->deviation[i];
    }
}

/* Adds the row x of tap l. */
static void add_row(pf_statistics *t, int64_t l, const pk_real *x, int64_t width)
{
    double *mean = t->mean + l * width, *squares = t->squares + l * width, *deviation = t->deviation + l * width;
    const double count = (double)++t->rows[l];
    for (int64_t c = 0; c < width; c++) {
        const double d = (double)x[c] - mean[c];
        mean[c] += d / count;
        squares[c] += d * ((double)x[c] - mean[c]);
        deviation[c] = count > 1 ? sqrt(squares[c] / (count - 1)) : 0;
    }
}

void pf_tta_statistics_add(peft_adaptor *a, int64_t n, uint64_t checksum)
{
    pf_statistics *t = &a->statistics;
    const int64_t width = a->model->backbone->shape.width, depth = a->model->backbone->shape.depth;
    const bool trained = t->images && t->model_checksum != checksum;
    if (trained)
        pf_warn(a->ctx, "the statistics of %lld training images belong to earlier values of the model's parameters: "
                "they are dropped, and those of the new images take their place", (long long)t->images);
    if (t->stored || trained) {
        const pf_statistics kept = *t;
        *t = (pf_statistics){ .mean = kept.mean, .squares = kept.squares, .deviation = kept.deviation,
                              .mean_real = kept.mean_real, .deviation_real = kept.deviation_real };
        memset(t->mean, 0, feature_bytes(a, sizeof(double)));
        memset(t->squares, 0, feature_bytes(a, sizeof(double)));
    }
    for (int64_t l = 0; l < depth; l++) {
        const pf_mat x = pf_matrix(&a->source.exec.run, a->source_tap[l]);
        for (int64_t i = 0; i < x.rows; i++) add_row(t, l, x.p + i * x.ld, width);
    }
    t->images += n;
    t->model_checksum = checksum;
    pf_tta_statistics_ready(a);
}
