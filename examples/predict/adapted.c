/* SPDX-License-Identifier: Apache-2.0
 * adapted.c -- predicts pictures by an adaptor, which goes on learning from them (predict.h). */
#include "predict.h"
#include "common/backbone/image_sides.h"
#include "common/data/data.h"
#include "common/model/adaptation.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Opens the split "train" of the training images, or all if they have none. */
static peft_dataset *open_source(const loaded_model *s, const adaptation *a)
{
    const char *const all_images = NULL;
    const data_request q = { .table = a->table, .image_options = a->image_options,
                             .unlabelled = true };
    peft_dataset *d = open_split(s->ctx, &q, a->source, "train");
    return d ? d : open_split(s->ctx, &q, a->source, all_images);
}

/* Gives images of the training data to the adaptor, drawn by seed. */
static void give_source(const loaded_model *s, const adaptation *a)
{
    char options[80];
    peft_loader *loader;
    peft_tensor *whole;
    peft_dataset *d = open_source(s, a);
    const int64_t batch = peft_adaptor_batch(a->adaptor), all = peft_dataset_count(d);
    const int64_t count = a->source_images && a->source_images < all ? a->source_images : all;
    snprintf(options, sizeof options, "batch=%lld,shuffle=true,train=false,seed=%llu", (long long)batch,
             (unsigned long long)a->seed);
    must(peft_loader_create(d, s->transform, options, &loader));
    whole = new_images(s->ctx, s->transform, batch);
    for (int64_t given = 0, b = 0, n; given < count; given += n, b++) {
        must(peft_loader_read(loader, 0, b, whole, NULL, NULL, &n));
        if (n > count - given) n = count - given;
        peft_tensor *images = images_over(s->ctx, s->transform, n, peft_tensor_data(whole));
        const peft_status status = peft_adaptor_source(a->adaptor, images);
        if (status == PEFT_E_UNSUPPORTED)
            fail("--source: kind %s compares pictures with no training images; leave it out",
                 peft_adaptor_kind(a->adaptor));
        must(status);
        peft_tensor_free(images);
    }
    peft_tensor_free(whole);
    peft_loader_free(loader);
    peft_dataset_free(d);
}

static void restore_state(const adaptation *a)
{
    const peft_status status = peft_adaptor_restore(a->adaptor, a->state);
    if (status)
        fail("--state %s: %s (%s); give the model and the options that the state was made with, or another path",
             a->state, peft_last_error(), peft_status_name(status));
}

void begin_adapting(const loaded_model *s, adaptation *a)
{
    int64_t dims[PEFT_MAX_DIMS];
    if (!a->kind) return;
    if (s->multilabel && peft_model_output(s->model, dims) == 1)
        fail("--adapt: the model predicts several labels for an image; expected one label for each");
    must(peft_context_set_seed(s->ctx, a->seed));
    a->adaptor = open_adaptor(s, a->kind, a->batch);
    if (a->resumed) restore_state(a);
    if (a->source) give_source(s, a);
}

void check_has_source(peft_status status, const adaptation *a)
{
    if (a->kind && status == PEFT_E_STATE)
        fail("--adapt %s: compares pictures with training images; give --source PATH, or --state FILE of an earlier "
             "run that had them", a->kind);
}

void end_adapting(const adaptation *a)
{
    if (a->adaptor && a->state) must(peft_adaptor_save(a->adaptor, a->state));
    peft_adaptor_free(a->adaptor);
}

/* Adapts to the images of the batch and hands their results over. Returns how many failed. */
static int64_t predict_batch(const loaded_model *s, const adaptation *a, image_batch *b, results *r)
{
    const int64_t count = b->count;
    if (!count) return 0;
    float *logits = check_alloc(malloc((size_t)(count * s->classes) * sizeof *logits));
    double *scores = check_alloc(malloc((size_t)(count * s->classes) * sizeof *scores));
    peft_tensor *images = batch_images(b, 0, count), *out;
    must(peft_tensor_wrap(s->ctx, PEFT_F32, 2, (int64_t[]){ count, s->classes }, logits, &out));
    const peft_status status = peft_adaptor_predict(a->adaptor, images, out);
    peft_tensor_free(images);
    peft_tensor_free(out);
    check_has_source(status, a);
    if (!status) must(peft_metrics_scores(logits, count, s->classes, "softmax", scores));
    for (int64_t i = 0; i < count; i++) {
        float *p = logits + i * s->classes;                   /* the line takes floats: logits are used no more */
        for (int64_t k = 0; k < s->classes && !status; k++) p[k] = (float)scores[i * s->classes + k];
        if (status) print_error(input_name(r->in, b->picture[i]), status, r->in->of_model);
        else add_result(r, b->picture[i], p);
    }
    b->count = 0;
    free(logits);
    free(scores);
    return status ? count : 0;
}

int64_t predict_adapting(const loaded_model *s, const adaptation *a, const inputs *in, results *r, int threads,
                         int64_t *tried)
{
    int64_t failed = 0;
    image_batch b = make_batch(s, peft_adaptor_batch(a->adaptor), threads);
    progress_line bar = start_progress("pictures", in->count);
    for (*tried = 0; *tried < in->count && !stop_requested; ) {
        failed += fill_batch(&b, in, NULL, tried);
        hide_progress(&bar);
        failed += predict_batch(s, a, &b, r);
        show_progress(&bar, *tried, 0, "");
    }
    hide_progress(&bar);
    free_batch(&b);
    return failed;
}
