/* SPDX-License-Identifier: Apache-2.0
 * validator.c -- scores held-out images during a training (validator.h). */
#include "validator.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include <stdio.h>
#include <stdlib.h>

struct validator {
    peft_context *ctx;                                        /* of the tensors */
    peft_session *session;
    peft_loader *loader;
    peft_tensor *images;
    int64_t batch, size, classes;
    int64_t *samples;
    int sigmoid;
    float *row;                                               /* [batch, classes] */
    double *scores;                                           /* [count, classes] */
};

validator *make_validator(const training_run *t, peft_dataset *d)
{
    validator *v = check_alloc(calloc(1, sizeof *v));
    const int64_t count = peft_dataset_count(d);
    char text[80];
    v->ctx = t->ctx;
    v->batch = count < 8 ? count : 8;
    v->size = peft_transform_size(t->transform);
    v->classes = peft_dataset_classes(d);
    v->sigmoid = peft_dataset_multilabel(d);
    snprintf(text, sizeof text, "batch=%lld,threads=%d", (long long)v->batch, t->loader_threads);
    must(peft_loader_create(d, t->transform, text, &v->loader));
    snprintf(text, sizeof text, "batch=%lld", (long long)v->batch);
    peft_options *o;
    must(peft_options_create(t->ctx, &o));
    must(peft_options_parse(o, text));
    must(peft_session_create(t->model, o, &v->session));
    peft_options_free(o);
    must(peft_tensor_create(t->ctx, PEFT_F32, 4, (int64_t[]){ v->batch, 3, v->size, v->size }, &v->images));
    v->samples = check_alloc(malloc((size_t)v->batch * sizeof *v->samples));
    v->row = check_alloc(malloc((size_t)(v->batch * v->classes) * sizeof *v->row));
    v->scores = check_alloc(malloc((size_t)(count * v->classes) * sizeof *v->scores));
    return v;
}

void free_validator(validator *v)
{
    if (!v) return;
    peft_session_free(v->session);
    peft_loader_free(v->loader);
    peft_tensor_free(v->images);
    free(v->samples);
    free(v->row);
    free(v->scores);
    free(v);
}

/* Predicts the first n images of v->images to v->row. */
static void predict_batch(validator *v, int64_t n)
{
    peft_tensor *some, *out;
    must(peft_tensor_wrap(v->ctx, PEFT_F32, 4, (int64_t[]){ n, 3, v->size, v->size }, peft_tensor_data(v->images),
                          &some));
    must(peft_tensor_wrap(v->ctx, PEFT_F32, 2, (int64_t[]){ n, v->classes }, v->row, &out));
    const peft_status s = peft_session_probabilities(v->session, some, v->sigmoid, out);
    if (s != PEFT_E_NONFINITE) must(s);
    peft_tensor_free(some);
    peft_tensor_free(out);
}

const double *validate(validator *v)
{
    const int64_t only_epoch = 0;
    peft_tensor *const no_labels = NULL;
    int64_t *const no_ids = NULL;
    for (int64_t b = 0, n, m; b < peft_loader_batches(v->loader); b++) {
        if (stop_requested) return NULL;
        must(peft_loader_read(v->loader, only_epoch, b, v->images, no_labels, no_ids, &n));
        must(peft_loader_samples(v->loader, only_epoch, b, v->samples, &m));
        predict_batch(v, n);
        for (int64_t k = 0; k < n; k++)
            for (int64_t c = 0; c < v->classes; c++)
                v->scores[v->samples[k] * v->classes + c] = (double)v->row[k * v->classes + c];
    }
    return v->scores;
}
