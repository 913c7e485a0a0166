/* SPDX-License-Identifier: Apache-2.0
 * test_own_loss.c -- losses that the program computes: a loss function (peft_trainer_set_loss) or a gradient of the
 * logits (peft_trainer_backward_logits). With the values of a built-in loss they train to the same bits; an error
 * changes nothing. */
#include "loss_rows.h"
#include "tiny_files.h"

enum { N = 3, STEPS = 4 };

/* The user data of the loss function `compute`. */
typedef struct loss_user {
    peft_trainer *trainer;
    const pf_loss *loss;                 /* the built-in loss to evaluate */
    /* how the function fails; FINE: not; EVALUATE: by calling peft_trainer_evaluate, which is refused there */
    enum { FINE, STOP, SET_ERROR, NAN_GRADIENT, NAN_LOSS, EVALUATE } mode;
    const peft_tensor *labels;           /* labels of the last call */
    int calls;
    peft_session *session;               /* predicts during the call; NULL: none */
} loss_user;

/* Value and gradient of a built-in loss; the value is rounded to pk_real, as in the trainer's graph. */
static void evaluate_built_in(const pf_loss *loss, const peft_tensor *logits, const peft_tensor *labels,
                              peft_tensor *gradient, double *value)
{
    const int64_t classes = logits->dim[logits->ndim - 1];
    pf_loss_rows rows = { .logits = logits->data, .ld = classes, .rows = peft_tensor_count(logits) / classes,
                          .samples = logits->dim[0], .classes = classes };
    if (loss->kind->labels == PF_LABEL_CLASS) rows.labels = labels->data;
    else rows.targets = labels->data;
    *value = (double)(pk_real)loss_of(loss->kind, loss, rows, gradient->data);
}

/* The program's loss function (peft_trainer_set_loss). user: a loss_user, which chooses the loss and how it fails. */
static int compute(const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient, double *loss,
                   void *user)
{
    loss_user *own = user;
    own->calls++;
    own->labels = labels;
    float *g = peft_tensor_data(gradient);
    for (int64_t i = 0; i < peft_tensor_count(gradient); i++) ck_assert(g[i] == 0);
    if (own->session) {                                          /* would deadlock if the trainer held a lock */
        tiny_batch b = tiny_batch_make(own->trainer->model, 1, 50);
        peft_tensor *out = tiny_tensor(own->trainer->ctx, PEFT_F32, 2, 1, (int)own->trainer->model->classes);
        OK(peft_session_predict(own->session, b.images, out));
        peft_tensor_free(out);
        tiny_batch_free(&b);
    }
    if (own->mode == EVALUATE) return peft_trainer_evaluate(own->trainer, NULL, NULL) != PEFT_OK;
    evaluate_built_in(own->loss, logits, labels, gradient, loss);
    if (own->mode == NAN_GRADIENT) g[1] = NAN;
    if (own->mode == NAN_LOSS) *loss = NAN;
    if (own->mode == SET_ERROR) peft_set_error(PEFT_E_IO, "the teacher is gone");
    return own->mode == STOP ? 7 : own->mode == SET_ERROR;
}

/* --- the same bits ---------------------------------------------------------------------------------------------- */
typedef struct setup { const char *method, *model, *options; } setup;
static const setup setups[] = {
    { "lora", "classes=3", "" }, { "lora", "classes=3,head=bn_linear", ",accumulate=2,clip_norm=0.1" },
    { "ept", "classes=3,head=patch_linear", "" }, { "bitfit", "classes=3,head=mlp,head_layers=1", ",optimizer=sgd" },
    { "full", "classes=3", ",executor=naive" }, { "linear", "classes=3", ",cache_features=100000" } };
enum { SETUPS = sizeof setups / sizeof *setups };

/* A model with a trainer *x of the built-in loss `loss`. */
static tiny make_trainer(const setup *r, const char *loss, peft_trainer **x)
{
    tiny t = tiny_make(&(tiny_spec){ .method = r->method, .model = r->model,
                                     .adapter = strcmp(r->method, "lora") ? NULL : "dropout=0.3" });
    *x = tiny_trainer(t.model, "batch=%d,lr=0.05,loss=%s%s", N, loss, r->options);
    return t;
}

/* A step by forward, backward_logits and update; the images are freed before the backward pass. */
static void step_by_gradient(peft_trainer *x, const tiny_batch *b, const peft_tensor *labels)
{
    peft_tensor *images, *gradient;
    double loss;
    OK(peft_tensor_create(x->ctx, PEFT_F32, 4, b->images->dim, &images));
    memcpy(images->data, b->images->data, pf_tensor_bytes(images));
    OK(peft_trainer_forward(x, images, b->ids));
    memset(images->data, 0xFF, pf_tensor_bytes(images));
    peft_tensor_free(images);
    const peft_tensor *logits = peft_trainer_logits(x);
    OK(peft_tensor_create(x->ctx, PEFT_F32, logits->ndim, logits->dim, &gradient));
    evaluate_built_in(&x->loss, logits, labels, gradient, &loss);
    OK(peft_trainer_backward_logits(x, gradient, loss));
    peft_tensor_free(gradient);
    if (pf_pending_count(x) >= x->accumulate) OK(peft_trainer_update(x));
}

/* Trains STEPS steps and records their results. by_gradient: with step_by_gradient, else with peft_trainer_step. */
static void train(peft_trainer *x, bool by_gradient, tiny_bits *bits)
{
    for (int i = 0; i < STEPS; i++) {
        tiny_batch b = tiny_batch_make(x->model, i == 2 ? 2 : N, N * i);
        const peft_tensor *labels = x->loss.kind->labels == PF_LABEL_CLASS ? b.labels : b.targets;
        if (x->loss.kind == &pf_loss_soft_ce) {
            float *y = b.targets->data;
            for (int64_t k = 0; k < peft_tensor_count(b.targets); k++) y[k] = k % 3 == 1;    /* class 1 of three */
        }
        if (by_gradient) step_by_gradient(x, &b, labels);
        else OK(peft_trainer_step(x, b.images, labels, b.ids));
        tiny_bits_add(bits, "loss", &x->last_loss, sizeof x->last_loss);
        tiny_batch_free(&b);
    }
    tiny_bits_training(bits, x);
}

/* Trains by the built-in loss, by a loss function and by gradients of the logits, and compares all bits. */
static void compare(const setup *r, const char *loss)
{
    enum { BUILT_IN, BY_FUNCTION, BY_GRADIENT, WAYS };
    tiny_bits bits[WAYS] = { { 0 } };
    char name[160];
    for (int way = 0; way < WAYS; way++) {
        peft_trainer *x;
        tiny t = make_trainer(r, loss, &x);
        loss_user own = { .trainer = x, .loss = &x->loss };
        if (way == BY_FUNCTION) OK(peft_trainer_set_loss(x, compute, &own));
        train(x, way == BY_GRADIENT, &bits[way]);
        ck_assert_int_eq(own.calls, way == BY_FUNCTION ? STEPS : 0);
        peft_trainer_free(x);
        tiny_free(&t);
    }
    snprintf(name, sizeof name, "%s, %s, loss=%s%s", r->method, r->model, loss, r->options);
    for (int way = BY_FUNCTION; way < WAYS; way++) tiny_same(&bits[BUILT_IN], &bits[way], name);
    tiny_bits_free(&bits[BUILT_IN]);
}

START_TEST(all_ways_train_to_the_same_bits)
{
    for (int i = 0; i < SETUPS; i++) compare(&setups[i], "ce");
    for (size_t i = 0; pf_losses[i]; i++) compare(&setups[0], pf_losses[i]->name);
}
END_TEST

/* --- a cross entropy of the program, with labels of type i32 ------------------------------------------------------ */
static int cross_entropy(const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient, double *loss,
                         void *user)
{
    const int32_t *y = peft_tensor_cdata(labels);
    const int64_t n = peft_tensor_dim(logits, 0), classes = peft_tensor_dim(logits, 1);
    const float *x = peft_tensor_cdata(logits);
    float *g = peft_tensor_data(gradient);
    (void)user;
    *loss = 0;
    for (int64_t i = 0; i < n; i++, x += classes, g += classes) {
        double sum = 0;
        for (int64_t c = 0; c < classes; c++) sum += exp((double)x[c]);
        *loss += (log(sum) - (double)x[y[i]]) / (double)n;
        for (int64_t c = 0; c < classes; c++) g[c] = (float)((exp((double)x[c]) / sum - (c == y[i])) / (double)n);
    }
    return 0;
}

START_TEST(a_cross_entropy_of_the_program_trains_like_ce)
{
    tiny t[2];
    peft_trainer *x[2];
    for (int i = 0; i < 2; i++) t[i] = make_trainer(&setups[0], "ce", &x[i]);
    peft_tensor *y = tiny_tensor(t[1].ctx, PEFT_I32, 1, N);
    OK(peft_trainer_set_loss(x[1], cross_entropy, NULL));
    for (int i = 0; i < STEPS; i++) {
        tiny_batch b = tiny_batch_make(t[0].model, N, N * i);
        for (int k = 0; k < N; k++) ((int32_t *)y->data)[k] = (int32_t)((int64_t *)b.labels->data)[k];
        OK(peft_trainer_step(x[0], b.images, b.labels, NULL));
        OK(peft_trainer_step(x[1], b.images, y, NULL));
        ck_assert_double_eq_tol(peft_trainer_get(x[0], "loss"), peft_trainer_get(x[1], "loss"), 1e-6);
        ck_assert_double_eq_tol(peft_trainer_get(x[0], "grad_norm"), peft_trainer_get(x[1], "grad_norm"), 1e-5);
        tiny_batch_free(&b);
    }
    for (int i = 0; i < 2; i++) {
        peft_trainer_free(x[i]);
        tiny_free(&t[i]);
    }
    peft_tensor_free(y);
}
END_TEST

/* --- errors ------------------------------------------------------------------------------------------------------- */
START_TEST(a_failing_loss_function_changes_nothing)
{
    /* rewinds: the count of samples goes back to the first batch of the update */
    static const struct { int mode; peft_status status; const char *text; bool rewinds; } bad[] = {
        { STOP, PEFT_E_CANCELLED, "cancelled by the loss function at step 1, which returned 7", true },
        { SET_ERROR, PEFT_E_IO, "loss function at step 1: the teacher is gone", true },
        { EVALUATE, PEFT_E_STATE, "called in the trainer's loss function", true },
        { NAN_GRADIENT, PEFT_E_NONFINITE, "loss function at step 1: the gradient holds NaN or Inf", false },
        { NAN_LOSS, PEFT_E_NONFINITE, "the loss is NaN at step 1", false } };
    const setup r = { "lora", "classes=3,head=bn_linear", ",accumulate=2" };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        for (int first = 0; first < 2; first++) {        /* the failing pass is the first or the second of its update */
            tiny_bits before = { 0 }, after = { 0 };
            peft_trainer *x;
            tiny t = make_trainer(&r, "ce", &x);
            loss_user own = { .trainer = x, .loss = &x->loss };
            tiny_batch b = tiny_batch_make(t.model, N, 60);
            OK(peft_trainer_set_loss(x, compute, &own));
            for (int i = 0; i < 2; i++) tiny_step(x, N, N * i);
            tiny_bits_training(&before, x);
            const int64_t samples = x->samples;
            if (!first) tiny_step(x, N, 2 * N);
            own.mode = bad[k].mode;
            FAILS(bad[k].status, bad[k].text, peft_trainer_step(x, b.images, b.labels, NULL));
            ck_assert(!x->pending && !x->forward_samples && x->step == 1);
            ck_assert_int_eq(x->samples, bad[k].rewinds || first ? samples : samples + N);
            tiny_bits_training(&after, x);
            tiny_same(&before, &after, bad[k].text);
            tiny_bits_free(&before);
            own.mode = FINE;
            for (int i = 0; i < 2; i++) tiny_step(x, N, 60);
            ck_assert(x->step == 2);
            peft_trainer_free(x);
            tiny_free(&t);
            tiny_batch_free(&b);
        }
}
END_TEST

START_TEST(wrong_gradients_are_refused)
{
    peft_trainer *x;
    tiny t = make_trainer(&setups[1], "ce", &x);
    tiny_batch b = tiny_first_batch(t.model, N);
    peft_tensor *g = tiny_tensor(t.ctx, PEFT_F32, 2, N, 3), *small = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, N, 3), *i64_gradient = tiny_tensor(t.ctx, PEFT_I64, 2, N, 3);
    tiny_bits before = { 0 }, after = { 0 };
    static const char no_forward[] = "call peft_trainer_forward first";
    for (int i = 0; i < 2; i++) tiny_step(x, N, N * i);
    FAILS(PEFT_E_STATE, no_forward, peft_trainer_backward_logits(x, g, 0));
    tiny_bits_training(&before, x);
    OK(peft_trainer_forward(x, b.images, NULL));
    FAILS(PEFT_E_SHAPE, "gradient: given [2, 3], expected [3, 3]", peft_trainer_backward_logits(x, small, 0));
    FAILS(PEFT_E_DTYPE, "gradient: given i64, expected f32", peft_trainer_backward_logits(x, i64_gradient, 0));
    FAILS(PEFT_E_INVALID, "gradient is NULL", peft_trainer_backward_logits(x, NULL, 0));
    ((float *)g->data)[4] = INFINITY;
    FAILS(PEFT_E_NONFINITE, "gradient: holds NaN or Inf at step 1", peft_trainer_backward_logits(x, g, 0));
    FAILS(PEFT_E_STATE, no_forward, peft_trainer_backward_logits(x, g, 0));
    ((float *)g->data)[4] = 0;
    OK(peft_trainer_forward(x, b.images, NULL));
    FAILS(PEFT_E_NONFINITE, "the loss is infinite", peft_trainer_backward_logits(x, g, INFINITY));
    tiny_bits_training(&after, x);
    tiny_same(&before, &after, "refused gradients");                  /* the head's running statistics among them */
    tiny_bits_free(&before);
    OK(peft_trainer_forward(x, b.images, NULL));
    OK(peft_trainer_evaluate(x, b.images, logits));
    FAILS(PEFT_E_STATE, no_forward, peft_trainer_backward_logits(x, g, 0));
    OK(peft_trainer_forward(x, b.images, NULL));
    OK(peft_trainer_backward_logits(x, g, 0));
    FAILS(PEFT_E_STATE, no_forward, peft_trainer_backward_logits(x, g, 0));
    FAILS(PEFT_E_INVALID, "images is NULL", peft_trainer_forward(x, NULL, b.ids));
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_forward(NULL, b.images, NULL));
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_backward_logits(NULL, g, 0));
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_set_loss(NULL, compute, NULL));
    tiny_step(x, N, 0);                                        /* the second pass of the update */
    ck_assert(x->step == 2);
    peft_tensor *all[] = { g, small, logits, i64_gradient };
    for (int i = 0; i < 4; i++) peft_tensor_free(all[i]);
    tiny_batch_free(&b);
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

/* --- labels, sessions, saved states ------------------------------------------------------------------------------- */
/* A loss function: the sum of the logits. Stores the address of the labels in *user. */
static int sum_of_logits(const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient, double *loss,
                         void *user)
{
    const float *x = peft_tensor_cdata(logits);
    float *g = peft_tensor_data(gradient);
    *(const peft_tensor **)user = labels;
    *loss = 0;
    for (int64_t i = 0; i < peft_tensor_count(logits); i++) *loss += (double)x[i], g[i] = 1;
    return 0;
}

START_TEST(labels_are_passed_to_the_function_unchecked)
{
    peft_trainer *x;
    tiny t = make_trainer(&setups[0], "ce", &x);
    tiny_batch b = tiny_first_batch(t.model, N);
    peft_tensor *odd = tiny_tensor(t.ctx, PEFT_F64, 3, 2, 5, 7);
    const peft_tensor *passed = odd;
    OK(peft_trainer_set_loss(x, sum_of_logits, &passed));
    OK(peft_trainer_step(x, b.images, NULL, NULL));
    ck_assert_ptr_null(passed);
    OK(peft_trainer_step(x, b.images, odd, NULL));
    ck_assert_ptr_eq(passed, odd);
    OK(peft_trainer_set_loss(x, NULL, NULL));
    FAILS(PEFT_E_INVALID, "labels", peft_trainer_step(x, b.images, NULL, NULL));
    OK(peft_trainer_step(x, b.images, b.labels, NULL));
    peft_tensor_free(odd);
    tiny_batch_free(&b);
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

START_TEST(sessions_predict_in_the_loss_function)
{
    peft_trainer *x;
    tiny t = make_trainer(&setups[1], "ce", &x);
    loss_user own = { .trainer = x, .loss = &x->loss, .session = tiny_session(t.model, "batch=%d", 1) };
    OK(peft_trainer_set_loss(x, compute, &own));
    tiny_step(x, N, 0);
    ck_assert_int_eq(own.calls, 1);
    peft_session_free(own.session);
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

START_TEST(a_saved_state_names_its_kind_of_loss)
{
    peft_trainer *x;
    tiny t = make_trainer(&setups[0], "ce", &x);
    loss_user own = { .trainer = x, .loss = &x->loss };
    OK(peft_trainer_set_loss(x, compute, &own));
    tiny_step(x, N, 0);
    OK(peft_trainer_save(x, tiny_path("own")));
    OK(peft_trainer_set_loss(x, NULL, NULL));
    FAILS(PEFT_E_MISMATCH, "a loss function, the trainer has that of option loss",
          peft_trainer_restore(x, tiny_path("own")));
    OK(peft_trainer_save(x, tiny_path("table")));
    OK(peft_trainer_set_loss(x, compute, &own));
    FAILS(PEFT_E_MISMATCH, "the loss of option loss, the trainer has a loss function",
          peft_trainer_restore(x, tiny_path("table")));
    OK(peft_trainer_restore(x, tiny_path("own")));
    peft_trainer_free(x);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Three batches an epoch, with the targets of loss=bce. */
static int64_t next_batch(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                          void *user)
{
    const loss_user *own = user;
    (void)epoch;
    if (batch == 3) return 0;
    tiny_batch b = tiny_batch_make(own->trainer->model, N, (int)batch * N);
    memcpy(images->data, b.images->data, pf_tensor_bytes(b.images));
    memcpy(labels->data, b.targets->data, pf_tensor_bytes(b.targets));
    memcpy(ids, b.ids, sizeof *ids * N);
    tiny_batch_free(&b);
    return N;
}

/* peft_trainer_fit asks for labels of the type of the option `loss`; after an error it goes on with the failed
 * batch. */
START_TEST(fit_goes_on_after_a_failing_loss_function)
{
    const setup r = { "lora", "classes=3,head=bn_linear", ",accumulate=2" };
    tiny_bits bits[2] = { { 0 } };
    for (int fail = 0; fail < 2; fail++) {
        peft_trainer *x;
        tiny t = make_trainer(&r, "bce", &x);
        loss_user own = { .trainer = x, .loss = &x->loss, .mode = fail ? STOP : FINE };
        OK(peft_trainer_set_loss(x, compute, &own));
        if (fail) FAILS(PEFT_E_CANCELLED, "loss function at step 0", peft_trainer_fit(x, 2, next_batch, NULL, &own));
        own.mode = FINE;
        OK(peft_trainer_fit(x, 2, next_batch, NULL, &own));
        ck_assert(x->step == 4 && own.calls == 6 + fail);
        tiny_bits_training(&bits[fail], x);
        peft_trainer_free(x);
        tiny_free(&t);
    }
    tiny_same(&bits[0], &bits[1], "fit");
    tiny_bits_free(&bits[0]);
}
END_TEST

SUITE_MAIN("own_loss", all_ways_train_to_the_same_bits, a_cross_entropy_of_the_program_trains_like_ce,
           a_failing_loss_function_changes_nothing, wrong_gradients_are_refused,
           labels_are_passed_to_the_function_unchecked, sessions_predict_in_the_loss_function,
           a_saved_state_names_its_kind_of_loss, fit_goes_on_after_a_failing_loss_function)
