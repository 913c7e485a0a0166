/* SPDX-License-Identifier: Apache-2.0
 * adapted.c -- predicts pictures by an adaptor, which goes on learning from them (predict.h). */
#include "predict.h"
#include "common/data/data.h"
#include "common/model/adaptation.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A call: the pictures that were read for it. */
typedef struct call {
    int64_t capacity, count;
    float *pixels;                                            /* [capacity, 3, S, S] */
    int *picture;                                             /* [capacity] */
    float *logits;                                            /* [capacity, classes] */
    double *scores;                                           /* the same, as probabilities */
} call;

static call make_call(const loaded_model *s, int64_t capacity)
{
    const int64_t side = peft_transform_size(s->transform), logits = capacity * s->classes;
    return (call){ .capacity = capacity,
                   .pixels = check_alloc(malloc((size_t)(capacity * 3 * side * side) * sizeof(float))),
                   .picture = check_alloc(malloc((size_t)capacity * sizeof(int))),
                   .logits = check_alloc(malloc((size_t)logits * sizeof(float))),
                   .scores = check_alloc(malloc((size_t)logits * sizeof(double))) };
}

static void free_call(call *c)
{
    free(c->pixels);
    free(c->picture);
    free(c->logits);
    free(c->scores);
}

/* Reads and prepares a picture as the next one of the call. On an error prints it and returns false. */
static bool add_picture(const loaded_model *s, call *c, const pictures *p, int i)
{
    peft_image *im = NULL;
    const int64_t side = peft_transform_size(s->transform);
    peft_status status = load_picture(s->ctx, p, i, &im);
    if (!status) status = peft_transform_apply(s->transform, im, c->pixels + c->count * 3 * side * side);
    if (status)                                               /* a failed peft_image_load names the path itself */
        fprintf(stderr, "%s: %s%s%s (%s)\n", program_name, im ? picture_name(p, i) : "", im ? ": " : "",
                peft_last_error(), peft_status_name(status));
    else c->picture[c->count++] = i;
    peft_image_free(im);
    return !status;
}

static peft_tensor *wrap(const loaded_model *s, int64_t images, float *pixels)
{
    const int64_t side = peft_transform_size(s->transform);
    peft_tensor *t;
    must(peft_tensor_wrap(s->ctx, PEFT_F32, 4, (int64_t[]){ images, 3, side, side }, pixels, &t));
    return t;
}

/* Adapts to the pictures of the call and hands their results over. Returns how many failed. */
static int predict_call(const loaded_model *s, peft_adaptor *adaptor, call *c, const adaptation *a, results *r)
{
    const int count = (int)c->count;
    if (!count) return 0;
    peft_tensor *images = wrap(s, count, c->pixels), *out;
    must(peft_tensor_wrap(s->ctx, PEFT_F32, 2, (int64_t[]){ count, s->classes }, c->logits, &out));
    const peft_status status = peft_adaptor_predict(adaptor, images, out);
    peft_tensor_free(images);
    peft_tensor_free(out);
    c->count = 0;
    if (status == PEFT_E_STATE)
        fail("--adapt %s: compares pictures with training images; give --source PATH, or --state FILE of an earlier "
             "run that had them", a->kind);
    if (status) {
        fprintf(stderr, "%s: %s and %d more pictures of the same call: %s (%s)\n", program_name,
                picture_name(r->pictures, c->picture[0]), count - 1, peft_last_error(), peft_status_name(status));
        return count;
    }
    must(peft_metrics_scores(c->logits, count, s->classes, "softmax", c->scores));
    for (int i = 0; i < count; i++) {
        float *p = c->logits + i * s->classes;                /* the line takes floats: logits are used no more */
        for (int64_t k = 0; k < s->classes; k++) p[k] = (float)c->scores[i * s->classes + k];
        put_result(r, c->picture[i], p);
    }
    return 0;
}

/* Opens the split "train" of the training images, or all if they have none. */
static peft_dataset *open_source(const loaded_model *s, const adaptation *a)
{
    const char *const all_images = NULL, *const no_pattern = NULL;
    peft_dataset *d = open_split(s->ctx, a->source, "train", a->table, no_pattern);
    return d ? d : open_split(s->ctx, a->source, all_images, a->table, no_pattern);
}

/* Gives images of the training data to the adaptor, drawn by seed. */
static void give_source(const loaded_model *s, peft_adaptor *adaptor, const adaptation *a)
{
    char options[80];
    peft_loader *loader;
    peft_dataset *d = open_source(s, a);
    const int64_t batch = peft_adaptor_batch(adaptor), all = peft_dataset_count(d);
    const int64_t count = a->source_images && a->source_images < all ? a->source_images : all;
    call c = make_call(s, batch);
    snprintf(options, sizeof options, "batch=%lld,shuffle=true,train=false,seed=%llu", (long long)batch,
             (unsigned long long)a->seed);
    must(peft_loader_create(d, s->transform, options, &loader));
    peft_tensor *whole = wrap(s, batch, c.pixels);
    for (int64_t given = 0, b = 0, n; given < count; given += n, b++) {
        must(peft_loader_read(loader, 0, b, whole, NULL, NULL, &n));
        if (n > count - given) n = count - given;
        peft_tensor *images = wrap(s, n, c.pixels);
        const peft_status status = peft_adaptor_source(adaptor, images);
        if (status == PEFT_E_UNSUPPORTED)
            fail("--source: kind %s compares pictures with no training images; leave it out",
                 peft_adaptor_kind(adaptor));
        must(status);
        peft_tensor_free(images);
    }
    peft_tensor_free(whole);
    peft_loader_free(loader);
    peft_dataset_free(d);
    free_call(&c);
}

static void restore_state(peft_adaptor *adaptor, const adaptation *a)
{
    const peft_status status = peft_adaptor_restore(adaptor, a->state);
    if (status)
        fail("--state %s: %s (%s); give the model and the options that the state was made with, or another path",
             a->state, peft_last_error(), peft_status_name(status));
}

int predict_adapting(loaded_model *s, const adaptation *a, const pictures *p, results *r, int *done)
{
    int failed = 0;
    if (s->multilabel) fail("--adapt: the model predicts several labels for an image; expected one label for each");
    must(peft_context_set_seed(s->ctx, a->seed));
    peft_adaptor *adaptor = open_adaptor(s, a->kind, a->batch);
    call c = make_call(s, peft_adaptor_batch(adaptor));
    if (a->resumed) restore_state(adaptor, a);
    if (a->source) give_source(s, adaptor, a);
    for (*done = 0; *done < p->count && !stop_requested; ++*done) {
        if (!add_picture(s, &c, p, *done)) failed++;
        if (c.count == c.capacity) failed += predict_call(s, adaptor, &c, a, r);
    }
    failed += predict_call(s, adaptor, &c, a, r);
    if (a->state) must(peft_adaptor_save(adaptor, a->state));
    free_call(&c);
    peft_adaptor_free(adaptor);
    return failed;
}
