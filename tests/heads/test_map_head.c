/* SPDX-License-Identifier: Apache-2.0
 * test_map_head.c -- the head patch_linear, which predicts a class for each patch: loss and gradients of the head
 * against the formulas, shapes of logits and labels, training, saving and loading. */
#include "tiny.h"
#include <math.h>

enum { N = 3, GRID = 4, PATCHES = GRID * GRID, CLASSES = 3, D = 48 };         /* images; width of the features */
#ifdef PF_REAL_DOUBLE
static const double tolerance = 1e-12;
#else
static const double tolerance = 1e-6;
#endif

/* A model with the head patch_linear and an adapter of `method` (NULL: without). */
static tiny make(const char *method)
{
    return tiny_make(&(tiny_spec){ .method = method, .model = "classes=3,head=patch_linear" });
}

/* Computes logits = W f + b from the patch features f (tap "feature"), the loss (bce of the targets or ce of the
 * labels) and the gradients of W [CLASSES, D] and b [CLASSES] in double; returns the loss. */
static double compute_by_formula(tiny *t, const tiny_batch *b, bool bce, double *dw, double *db)
{
    const int64_t out[] = { N, GRID, GRID, CLASSES };
    peft_tensor *logits;
    OK(peft_tensor_create(t->ctx, PF_REAL, 4, out, &logits));
    peft_session *s = tiny_session(t->model, "batch=%d,taps=feature", N);
    OK(peft_session_predict(s, b->images, logits));
    const peft_tensor *f = tiny_tap(s, "feature");
    ck_assert_int_eq(peft_tensor_count(f), N * PATCHES * D);
    const pk_real *x = peft_tensor_cdata(f), *z = peft_tensor_cdata(logits),
        *w = peft_tensor_cdata(peft_param_value(peft_model_find_param(t->model, "head.weight"))),
        *bias = peft_tensor_cdata(peft_param_value(peft_model_find_param(t->model, "head.bias")));
    const int64_t *label = peft_tensor_cdata(b->labels);
    const float *target = peft_tensor_cdata(b->targets);
    double loss = 0;
    memset(dw, 0, CLASSES * D * sizeof *dw);
    memset(db, 0, CLASSES * sizeof *db);
    for (int i = 0; i < N * PATCHES; i++) {
        double y[CLASSES], sum = 0;
        for (int c = 0; c < CLASSES; c++) {
            y[c] = (double)bias[c];
            for (int k = 0; k < D; k++) y[c] += (double)w[c * D + k] * (double)x[i * D + k];
            ck_assert_double_eq_tol((double)z[i * CLASSES + c], y[c], 100 * tolerance);
            sum += exp(y[c]);
        }
        for (int c = 0; c < CLASSES; c++) {
            /* p: predicted; want: the target; d: derivative of the loss by the logit */
            const double p = bce ? 1 / (1 + exp(-y[c])) : exp(y[c]) / sum,
                want = bce ? (double)target[i * CLASSES + c] : c == label[i],
                d = (p - want) / (bce ? N * PATCHES * CLASSES : N * PATCHES);
            if (bce) loss -= (want > 0 ? log(p) : log(1 - p)) / (N * PATCHES * CLASSES);
            else if (c == label[i]) loss -= log(p) / (N * PATCHES);
            db[c] += d;
            for (int k = 0; k < D; k++) dw[c * D + k] += d * (double)x[i * D + k];
        }
    }
    peft_session_free(s);
    peft_tensor_free(logits);
    return loss;
}

/* The gradient of the parameter `name` has the n values `want`. */
static void check_grad(peft_model *m, const char *name, const double *want, int n)
{
    const pk_real *g = peft_tensor_cdata(peft_param_grad(peft_model_find_param(m, name)));
    for (int i = 0; i < n; i++)
        ck_assert_msg(fabs((double)g[i] - want[i]) < tolerance,
                      "gradient of %s, element %d: %.12g, by the formula %.12g", name, i, (double)g[i], want[i]);
}

/* k: bit 0, the loss bce instead of ce; bit 1, batches smaller than the trainer's batch size. */
START_TEST(loss_and_gradients_match_the_formulas)
{
    for (int k = 0; k < 4; k++) {
        const bool bce = k & 1;
        double dw[CLASSES * D], db[CLASSES];
        tiny t = make(NULL);
        tiny_batch b = tiny_first_batch(t.model, N);
        const double loss = compute_by_formula(&t, &b, bce, dw, db);
        peft_trainer *x = tiny_trainer(t.model, "batch=%d,loss=%s", N + (k & 2), bce ? "bce" : "ce");
        OK(peft_trainer_backward(x, b.images, bce ? b.targets : b.labels, NULL));
        ck_assert_double_eq_tol(peft_trainer_get(x, "loss"), loss, tolerance);
        check_grad(t.model, "head.weight", dw, CLASSES * D);
        check_grad(t.model, "head.bias", db, CLASSES);
        const peft_tensor *logits = peft_trainer_logits(x);
        ck_assert(peft_tensor_ndim(logits) == 4 && peft_tensor_dim(logits, 0) == N && peft_tensor_dim(logits, 2) == GRID
                  && peft_tensor_dim(logits, 3) == CLASSES);
        peft_trainer_free(x);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

START_TEST(labels_and_logits_of_another_shape_are_refused)
{
    /* map_*: one label for each patch; flat_*: one for each image */
    tiny map_tiny = make("lora"), flat_tiny = tiny_make(&(tiny_spec){ .method = "lora" });
    tiny_batch map = tiny_first_batch(map_tiny.model, N), flat = tiny_first_batch(flat_tiny.model, N);
    peft_trainer *map_trainer = tiny_trainer(map_tiny.model, "batch=%d", N),
        *flat_trainer = tiny_trainer(flat_tiny.model, "batch=%d", N);
    int64_t dims[PEFT_MAX_DIMS];
    ck_assert(peft_model_output(flat_tiny.model, dims) == 1 && dims[0] == CLASSES);
    ck_assert(peft_model_output(map_tiny.model, dims) == 3 && dims[0] == GRID && dims[1] == GRID && dims[2] == CLASSES);
    FAILS(PEFT_E_SHAPE, "labels: given [3], expected [3, 4, 4]",
          peft_trainer_step(map_trainer, map.images, flat.labels, NULL));
    FAILS(PEFT_E_SHAPE, "labels: given [3, 4, 4], expected [3]",
          peft_trainer_step(flat_trainer, map.images, map.labels, NULL));
    FAILS(PEFT_E_DTYPE, "labels: given f32 [3, 4, 4, 3], expected i64 [3, 4, 4], class numbers",
          peft_trainer_step(map_trainer, map.images, map.targets, NULL));
    ((int64_t *)peft_tensor_data(map.labels))[PATCHES + 6] = CLASSES;
    FAILS(PEFT_E_INVALID, "labels[1][1][2]: given 3, expected 0 to 2",
          peft_trainer_step(map_trainer, map.images, map.labels, NULL));
    peft_tensor *flat_logits = tiny_tensor(map_tiny.ctx, PF_REAL, 2, N, CLASSES),
        *map_logits = tiny_tensor(map_tiny.ctx, PF_REAL, 4, N, GRID, GRID, CLASSES);
    peft_session *s = tiny_session(map_tiny.model, "batch=%d", N);
    FAILS(PEFT_E_SHAPE, "given [3, 3], expected [3, 4, 4, 3]", peft_session_predict(s, map.images, flat_logits));
    FAILS(PEFT_E_SHAPE, "given [3, 3], expected [3, 4, 4, 3]",
          peft_trainer_evaluate(map_trainer, map.images, flat_logits));
    OK(peft_trainer_evaluate(map_trainer, map.images, map_logits));
    const int multi_label = 0;                               /* softmax */
    OK(peft_session_probabilities(s, map.images, multi_label, map_logits));
    const pk_real *p = peft_tensor_cdata(map_logits);
    for (int i = 0; i < N * PATCHES; i++)
        ck_assert_double_eq_tol((double)p[i * CLASSES] + (double)p[i * CLASSES + 1] + (double)p[i * CLASSES + 2], 1,
                                1e-6);
    peft_session_free(s);
    peft_tensor_free(flat_logits);
    peft_tensor_free(map_logits);
    peft_trainer_free(map_trainer);
    peft_trainer_free(flat_trainer);
    tiny_batch_free(&map);
    tiny_batch_free(&flat);
    tiny_free(&map_tiny);
    tiny_free(&flat_tiny);
}
END_TEST

/* Two batches of an epoch; the trainer gives a labels tensor with one label for each patch. */
static int64_t next_batch(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                          void *user)
{
    const peft_model *m = user;
    (void)epoch;
    (void)ids;
    if (batch == 2) return 0;
    tiny_batch b = tiny_batch_make(m, N, (int)batch * N);
    ck_assert(peft_tensor_ndim(labels) == 3 && peft_tensor_dim(labels, 1) == GRID
              && peft_tensor_dim(labels, 2) == GRID);
    pf_to_real(images->data, b.images->data, PEFT_F32, peft_tensor_count(b.images));
    memcpy(labels->data, b.labels->data, pf_tensor_bytes(b.labels));
    tiny_batch_free(&b);
    return N;
}

START_TEST(a_trained_model_predicts_the_same_after_save_and_load)
{
    tiny t = make("lora");
    peft_trainer *x = tiny_trainer(t.model, "batch=%d,lr=0.01", N);
    OK(peft_trainer_fit(x, 1, next_batch, NULL, t.model));
    const double first = peft_trainer_get(x, "loss");
    OK(peft_trainer_fit(x, 12, next_batch, NULL, t.model));
    ck_assert_double_lt(peft_trainer_get(x, "loss"), 0.8 * first);
    peft_trainer_free(x);
    tiny_batch b = tiny_first_batch(t.model, N);
    peft_tensor *logits[2];
    peft_model *loaded;
    const char *path = tiny_path("map.safetensors");
    OK(peft_model_save(t.model, path));
    OK(peft_model_load(t.backbone, path, &loaded));
    for (int i = 0; i < 2; i++) {
        peft_session *s = tiny_session(i ? loaded : t.model, "batch=%d", N);
        logits[i] = tiny_tensor(t.ctx, PF_REAL, 4, N, GRID, GRID, CLASSES);
        OK(peft_session_predict(s, b.images, logits[i]));
        peft_session_free(s);
    }
    ck_assert_mem_eq(logits[0]->data, logits[1]->data, pf_tensor_bytes(logits[0]));
    peft_backbone *merged;
    FAILS(PEFT_E_UNSUPPORTED, "head patch_linear cannot be merged", peft_model_merge(t.model, &merged));
    FAILS(PEFT_E_UNSUPPORTED, "head 'patch_linear' has no form in PEFT",
          peft_model_save_hf(t.model, tiny_path("hf"), NULL));
    peft_options *o = tiny_options(t.ctx, "classes=3,head=patch_linear,pool=mean");
    peft_model *none;
    FAILS(PEFT_E_OPTION, "pool: given 'mean', which has no effect with this head",
          peft_model_create(t.backbone, o, &none));
    peft_options_free(o);
    for (int i = 0; i < 2; i++) peft_tensor_free(logits[i]);
    peft_model_free(loaded);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("map head", loss_and_gradients_match_the_formulas, labels_and_logits_of_another_shape_are_refused,
           a_trained_model_predicts_the_same_after_save_and_load)
