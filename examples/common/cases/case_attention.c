/* SPDX-License-Identifier: Apache-2.0
 * case_attention.c -- trains and uses a case pool over the features of a model (case_attention.h). */
#include "case_attention.h"
#include "common/backbone/image_sides.h"
#include "common/model/model_hash.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char model_key[] = "model";                      /* note of the pool: hash_model of the features' model */

static peft_context *context_of(peft_model *m) { return peft_backbone_context(peft_model_backbone(m)); }

peft_case_pool *make_case_pool(peft_model *m, const char *options, bool multilabel, int64_t seed)
{
    peft_options *o;
    peft_case_pool *p;
    const int64_t width = peft_model_feature_width(m);
    if (width < 1)
        fail("--per-case attention: the model has no pooled feature of an image, as with method fpt or "
             "head=patch_linear; give --per-case mean or max");
    must(peft_options_create(context_of(m), &o));
    must(peft_options_set_int(o, "seed", seed));
    must(peft_options_set_string(o, "loss", multilabel ? "bce" : "ce"));
    if (options && peft_options_parse(o, options)) fail("--case-options: %s", peft_last_error());
    if (peft_case_pool_create(context_of(m), width, peft_model_classes(m), o, &p))
        fail("--case-options: %s", peft_last_error());
    if (peft_case_pool_get(p, "multi_label") != multilabel)
        fail("--case-options: the loss is %s, since an image has %s", multilabel ? "bce" : "ce",
             multilabel ? "several labels" : "one label");
    peft_options_free(o);
    return p;
}

/* The features of all images of d, [count, width]; NULL: stop_requested. */
static float *features_of(peft_session *s, const peft_dataset *d, const peft_transform *t)
{
    peft_context *ctx = context_of(peft_session_model(s));
    const int64_t n = peft_dataset_count(d), width = peft_model_feature_width(peft_session_model(s));
    float *features = check_alloc(malloc((size_t)(n * width) * sizeof *features));
    peft_tensor *image, *out;
    int64_t i = 0;
    image = new_images(ctx, t, 1);
    for (; i < n && !stop_requested; i++) {
        peft_image *im;
        must(peft_dataset_load(d, i, &im));
        must(peft_transform_apply(t, im, peft_tensor_data(image)));
        must(peft_tensor_wrap(ctx, PEFT_F32, 2, (int64_t[]){ 1, width }, features + i * width, &out));
        must(peft_session_features(s, image, out));
        peft_tensor_free(out);
        peft_image_free(im);
    }
    peft_tensor_free(image);
    if (i == n) return features;
    free(features);
    return NULL;
}

/* Called after each epoch: keeps the loss. */
static int keep_loss(int64_t epoch, double loss, void *user)
{
    (void)epoch;
    *(double *)user = loss;
    return stop_requested;
}

bool train_case_pool(peft_case_pool *p, peft_session *s, const peft_dataset *d, const peft_transform *t)
{
    char hash[65];
    const int64_t classes = peft_dataset_classes(d);
    double loss = 0;
    float *features = features_of(s, d, t);
    if (!features) return false;
    case_list c = cases_of(d);
    float *targets = check_alloc(malloc((size_t)(c.count * classes) * sizeof *targets));
    for (int64_t n = 0; n < c.count; n++) must(peft_dataset_targets(d, c.first[n], targets + n * classes));
    const peft_status status = peft_case_pool_fit(p, features, c.of, peft_dataset_count(d), c.count, targets,
                                                  keep_loss, &loss);
    if (status != PEFT_E_CANCELLED) must(status);
    hash_model(peft_session_model(s), hash);
    must(peft_case_pool_set_note(p, model_key, hash));
    if (!status)
        printf("attention trained on %lld cases of %lld images, loss %.5f\n", (long long)c.count,
               (long long)peft_dataset_count(d), loss);
    free(targets);
    free(features);
    free_cases(&c);
    return !status;
}

case_scores attend_to_cases(peft_case_pool *p, peft_session *s, peft_dataset *d, const peft_transform *t)
{
    case_scores out = { .list = cases_of(d) };
    double *no_weights = NULL;
    float *features = features_of(s, d, t);
    must(peft_dataset_subset(d, out.list.first, out.list.count, &out.samples));
    if (!features) return out;
    out.scores = check_alloc(malloc((size_t)(out.list.count * peft_dataset_classes(d)) * sizeof *out.scores));
    must(peft_case_pool_predict(p, features, out.list.of, peft_dataset_count(d), out.list.count, out.scores,
                                no_weights));
    free(features);
    return out;
}

char *case_pool_path(const char *model)
{
    char *path;
    if (asprintf(&path, "%s.cases", model) < 0) fail("out of memory");
    return path;
}

peft_case_pool *load_case_pool(peft_context *ctx, const char *path, peft_model *m)
{
    peft_case_pool *p;
    char hash[65];
    if (peft_case_pool_load(ctx, path, &p))
        fail("--per-case attention: %s; give a model that finetune --per-case attention has written",
             peft_last_error());
    hash_model(m, hash);
    const char *of = peft_case_pool_note(p, model_key);
    if (!of || strcmp(of, hash) || peft_case_pool_get(p, "width") != peft_model_feature_width(m) ||
        peft_case_pool_get(p, "classes") != peft_model_classes(m))
        fail("--per-case attention: %s was trained on the features of another model; give the model that it was "
             "written with", path);
    return p;
}
