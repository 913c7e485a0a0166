/* SPDX-License-Identifier: Apache-2.0
 * drift.c -- peft_model_merge_drift: the largest difference between the logits of a model and those of its merged
 * backbone, which rounding causes; between the features if the model has no head. */
#include <math.h>
#include <peft/session.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/model/heads/head.h"
#include "core/model/model.h"

enum { BATCH = 4 };                      /* images predicted at a time */

typedef struct {
    peft_context *ctx;
    peft_model *model[2];                /* the model, and one of the merged backbone */
    peft_session *session[2];
    peft_tensor *noise, *result[2];      /* noise: [BATCH,3,h,w], in place of images; NULL: images were given. result:
                                            logits, or features [n,W] if the model has no head */
    double difference;                   /* the largest difference of two elements of the results */
    double largest;                      /* the largest magnitude in the model's result */
} drift;

static void free_all(drift *d)
{
    for (int i = 0; i < 2; i++) {
        peft_session_free(d->session[i]);
        peft_tensor_free(d->result[i]);
    }
    peft_tensor_free(d->noise);
    peft_model_free(d->model[1]);
}

/* Makes d->noise: images of normal noise that the context's seed decides. */
static peft_status make_noise(drift *d, pf_grid image)
{
    const int64_t dims[] = { BATCH, 3, image.h, image.w };
    PF_TRY(peft_tensor_create(d->ctx, PF_REAL, 4, dims, &d->noise));
    const pf_rng r = { d->ctx->seed, pf_rng_stream("merge drift"), 0 };
    pk_real *x = d->noise->data;
    for (int64_t i = 0; i < peft_tensor_count(d->noise); i++) x[i] = (pk_real)pf_rng_normal(&r, (uint64_t)i);
    return PEFT_OK;
}

static bool is_headless(const drift *d) { return d->model[0]->head == &pf_head_none; }

/* Makes a model of the merged backbone with its own classifier, or without a head like the model. */
static peft_status create_model(drift *d, peft_backbone *merged)
{
    peft_options *o;
    PF_TRY(peft_options_create(d->ctx, &o));
    peft_status s = is_headless(d) ? peft_options_set_string(o, "head", "none") : PEFT_OK;
    if (!s && is_headless(d)) s = peft_options_set_string(o, "pool", pf_feature_name(d->model[0]->pool));
    if (!s) s = peft_model_create(merged, o, &d->model[1]);
    peft_options_free(o);
    PF_TRY(s);
    const int64_t given = peft_model_feature_width(d->model[1]), expected = peft_model_feature_width(d->model[0]);
    if (is_headless(d) && given != expected)
        return pf_fail(PEFT_E_MISMATCH, "merged: given features of width %lld, those of the model have %lld",
                       (long long)given, (long long)expected);
    return PEFT_OK;
}

/* Makes a model of the merged backbone, and a session of each model. */
static peft_status create_sessions(drift *d, peft_backbone *merged)
{
    peft_options *o;
    PF_TRY(create_model(d, merged));
    PF_TRY(peft_options_create(d->ctx, &o));
    peft_status s = peft_options_set_int(o, "batch", BATCH);
    for (int i = 0; i < 2 && !s; i++) s = peft_session_create(d->model[i], o, &d->session[i]);
    peft_options_free(o);
    return s;
}

/* Computes logits or features of the images part by model i, into d->result[i]. */
static peft_status compute(drift *d, int i, const peft_tensor *part)
{
    const pf_shape *o = &d->model[i]->output;
    const bool features = is_headless(d);
    int64_t dims[1 + PF_MAX_RANK] = { part->dim[0], peft_model_feature_width(d->model[i]) };
    if (!features) memcpy(dims + 1, o->dim, (size_t)o->ndim * sizeof *dims);
    peft_tensor_free(d->result[i]);
    d->result[i] = NULL;
    PF_TRY(peft_tensor_create(d->ctx, PF_REAL, features ? 2 : 1 + o->ndim, dims, &d->result[i]));
    return features ? peft_session_features(d->session[i], part, d->result[i])
                    : peft_session_predict(d->session[i], part, d->result[i]);
}

/* Predicts the images first .. first + n - 1 of `all` with both models and adds the results to d->difference and
 * d->largest. */
static peft_status compare(drift *d, const peft_tensor *all, int64_t first, int64_t n)
{
    peft_tensor part = *all;
    part.owned = false;
    part.dim[0] = n;
    part.data = (char *)all->data + (size_t)first * (pf_tensor_bytes(all) / (size_t)all->dim[0]);
    for (int i = 0; i < 2; i++) {
        const peft_status s = compute(d, i, &part);
        if (s && s != PEFT_E_NONFINITE) return s;        /* NaN or Inf counts as an infinite difference */
    }
    const pk_real *x = d->result[0]->data, *y = d->result[1]->data;
    for (int64_t i = 0; i < peft_tensor_count(d->result[0]); i++) {
        const bool finite = isfinite(x[i]) && isfinite(y[i]);
        d->difference = finite ? fmax(d->difference, fabs((double)x[i] - (double)y[i])) : INFINITY;
        if (isfinite(x[i])) d->largest = fmax(d->largest, fabs((double)x[i]));
    }
    return PEFT_OK;
}

/* Compares all images, BATCH at a time; images NULL: noise. */
static peft_status compare_all(drift *d, peft_backbone *merged, const peft_tensor *images)
{
    PF_TRY(create_sessions(d, merged));
    if (!images) {
        PF_TRY(make_noise(d, merged->shape.image));
        images = d->noise;
    }
    const int64_t n = images->ndim > 0 ? images->dim[0] : 0;
    if (n < 1) return pf_fail(PEFT_E_SHAPE, "images: given %lld images, expected at least 1", (long long)n);
    for (int64_t first = 0; first < n; first += BATCH)
        PF_TRY(compare(d, images, first, n - first < BATCH ? n - first : BATCH));
    return PEFT_OK;
}

peft_status peft_model_merge_drift(peft_model *m, peft_backbone *merged, const peft_tensor *images, double *absolute,
                                   double *relative)
{
    PK_FLOAT_SCOPE;
    if (!m || !merged) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "merged" : "model");
    drift d = { .ctx = m->backbone->ctx, .model = { m, NULL } };
    const int64_t classes = merged->shape.classes;
    const pf_grid given = merged->shape.image, expected = m->backbone->shape.image;
    char sides[2][PF_SIDES_MAX];
    if ((classes != m->classes && !is_headless(&d)) || !pf_grid_equal(given, expected))
        return pf_fail(PEFT_E_MISMATCH, "merged: given %lld classes and images of size %s, the model has %lld and %s",
                       (long long)classes, pf_sides_text(sides[0], given), (long long)m->classes,
                       pf_sides_text(sides[1], expected));
    peft_status s = compare_all(&d, merged, images);
    free_all(&d);
    if (s) return s;
    if (absolute) *absolute = d.difference;
    if (relative) *relative = d.largest > 0 ? d.difference / d.largest : d.difference;
    return PEFT_OK;
}
