/* SPDX-License-Identifier: Apache-2.0
 * test_own_loss.c -- losses that the application computes: a loss function, and a gradient given on the logits. With the
 * same values and gradients as a loss of the table they train to the same bits; what fails changes nothing. */
#include "tiny_files.h"

enum { N = 3, STEPS = 4 };

/* What the loss function of a test computes, what it has seen, and how it fails. */
typedef struct own {
    peft_trainer *trainer;
    const pf_loss *loss;                 /* computes as the table does */
    enum { FINE, STOP, SAY, NOT_A_NUMBER, NO_LOSS, EVALUATE } mode;
    const peft_tensor *labels;           /* of the last call */
    int calls;
    peft_session *session;               /* NULL: none; predicts in the call */
} own;

static void by_table(const pf_loss *loss, const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient,
                     double *value)
{
    const int64_t classes = logits->dim[logits->ndim - 1];
    pf_loss_rows rows = { .logits = logits->data, .ld = classes, .rows = peft_tensor_count(logits) / classes,
                          .classes = classes };
    if (loss->kind->labels == PF_LABEL_CLASS) rows.labels = labels->data;
    else rows.targets = labels->data;
    *value = (double)(pk_real)loss->kind->evaluate(loss, &rows, gradient->data);
}

static int compute(const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient, double *loss,
                   void *user)
{
    own *o = user;
    o->calls++;
    o->labels = labels;
    float *g = peft_tensor_data(gradient);
    for (int64_t i = 0; i < peft_tensor_count(gradient); i++) ck_assert(g[i] == 0);
    if (o->session) {                                          /* no lock is held: this would wait for ever */
        tiny_batch b = tiny_batch_make(o->trainer->model, 1, 50);
        peft_tensor *out = tiny_tensor(o->trainer->ctx, PEFT_F32, 2, 1, (int)o->trainer->model->classes);
        OK(peft_session_predict(o->session, b.images, out));
        peft_tensor_free(out);
        tiny_batch_free(&b);
    }
    if (o->mode == EVALUATE) return peft_trainer_evaluate(o->trainer, NULL, NULL) != PEFT_OK;
    by_table(o->loss, logits, labels, gradient, loss);
    if (o->mode == NOT_A_NUMBER) g[1] = NAN;
    if (o->mode == NO_LOSS) *loss = NAN;
    if (o->mode == SAY) peft_set_error(PEFT_E_IO, "the teacher is gone");
    return o->mode == STOP ? 7 : o->mode == SAY;
}

/* --- the same bits ---------------------------------------------------------------------------------------------- */
typedef struct recipe { const char *method, *model, *options; } recipe;
static const recipe recipes[] = {
    { "lora", "classes=3", "" }, { "lora", "classes=3,head=bn_linear", ",accumulate=2,clip_norm=0.1" },
    { "ept", "classes=3,head=patch_linear", "" }, { "bitfit", "classes=3,head=mlp,head_layers=1", ",optimizer=sgd" },
    { "full", "classes=3", ",executor=naive" }, { "linear", "classes=3", ",cache_features=100000" } };
enum { RECIPES = sizeof recipes / sizeof *recipes };

static tiny make(const recipe *r, const char *loss, peft_trainer **x)
{
    tiny t = tiny_make(&(tiny_spec){ .method = r->method, .model = r->model,
                                     .adapter = strcmp(r->method, "lora") ? NULL : "dropout=0.3" });
    *x = tiny_trainer(t.model, "batch=%d,lr=0.05,loss=%s%s", N, loss, r->options);
    return t;
}

/* The same step in pieces; the images are gone before the backward pass. */
static void step_in_pieces(peft_trainer *x, const tiny_batch *b, const peft_tensor *labels)
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
    by_table(&x->loss, logits, labels, gradient, &loss);
    OK(peft_trainer_backward_logits(x, gradient, loss));
    peft_tensor_free(gradient);
    if (pf_pending_count(x) >= x->accumulate) OK(peft_trainer_update(x));
}

static void train(peft_trainer *x, bool pieces, tiny_bits *to)
{
    for (int i = 0; i < STEPS; i++) {
        tiny_batch b = tiny_batch_make(x->model, i == 2 ? 2 : N, N * i);
        const peft_tensor *labels = x->loss.kind->labels == PF_LABEL_CLASS ? b.labels : b.targets;
        if (x->loss.kind == &pf_loss_soft_ce) {
            float *y = b.targets->data;
            for (int64_t k = 0; k < peft_tensor_count(b.targets); k++) y[k] = k % 3 == 1;
        }
        if (pieces) step_in_pieces(x, &b, labels);
        else OK(peft_trainer_step(x, b.images, labels, b.ids));
        tiny_bits_add(to, "loss", "", &x->last_loss, sizeof x->last_loss);
        tiny_batch_free(&b);
    }
    tiny_bits_training(to, x);
}

static void compare(const recipe *r, const char *loss)
{
    tiny_bits bits[3] = { { 0 } };
    char who[160];
    for (int how = 0; how < 3; how++) {
        peft_trainer *x;
        tiny t = make(r, loss, &x);
        own o = { .trainer = x, .loss = &x->loss };
        if (how == 1) OK(peft_trainer_set_loss(x, compute, &o));
        train(x, how == 2, &bits[how]);
        ck_assert_int_eq(o.calls, how == 1 ? STEPS : 0);
        peft_trainer_free(x);
        tiny_free(&t);
    }
    snprintf(who, sizeof who, "%s, %s, loss=%s%s", r->method, r->model, loss, r->options);
    for (int how = 1; how < 3; how++) tiny_same(&bits[0], &bits[how], who);
    tiny_bits_free(&bits[0]);
}

START_TEST(same_bits_as_the_table)
{
    for (int i = 0; i < RECIPES; i++) compare(&recipes[i], "ce");
    for (size_t i = 0; pf_losses[i]; i++) compare(&recipes[0], pf_losses[i]->name);
}
END_TEST

/* --- cross entropy written here, with labels of another type ------------------------------------------------------ */
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

START_TEST(cross_entropy_of_the_program)
{
    tiny t[2];
    peft_trainer *x[2];
    for (int i = 0; i < 2; i++) t[i] = make(&recipes[0], "ce", &x[i]);
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

/* --- what fails --------------------------------------------------------------------------------------------------- */
START_TEST(failures_change_nothing)
{
    static const struct { int mode; peft_status status; const char *text; bool rewinds; } bad[] = {
        { STOP, PEFT_E_CANCELLED, "cancelled by the loss function at step 1, which returned 7", true },
        { SAY, PEFT_E_IO, "loss function at step 1: the teacher is gone", true },
        { EVALUATE, PEFT_E_STATE, "called in the trainer's loss function", true },
        { NOT_A_NUMBER, PEFT_E_NONFINITE, "loss function at step 1: the gradient holds NaN or Inf", false },
        { NO_LOSS, PEFT_E_NONFINITE, "the loss is NaN at step 1", false } };
    const recipe r = { "lora", "classes=3,head=bn_linear", ",accumulate=2" };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        for (int first = 0; first < 2; first++) {              /* in the first pass of the update, or the second */
            tiny_bits before = { 0 }, after = { 0 };
            peft_trainer *x;
            tiny t = make(&r, "ce", &x);
            own o = { .trainer = x, .loss = &x->loss };
            tiny_batch b = tiny_batch_make(t.model, N, 60);
            OK(peft_trainer_set_loss(x, compute, &o));
            for (int i = 0; i < 2; i++) tiny_step(x, N, N * i);
            tiny_bits_training(&before, x);
            const int64_t samples = x->samples;
            if (!first) tiny_step(x, N, 2 * N);
            o.mode = bad[k].mode;
            FAILS(bad[k].status, bad[k].text, peft_trainer_step(x, b.images, b.labels, NULL));
            ck_assert(!x->pending && !x->forward_samples && x->step == 1);
            ck_assert_int_eq(x->samples, bad[k].rewinds || first ? samples : samples + N);
            tiny_bits_training(&after, x);
            tiny_same(&before, &after, bad[k].text);
            tiny_bits_free(&before);
            o.mode = FINE;
            for (int i = 0; i < 2; i++) tiny_step(x, N, 60);
            ck_assert(x->step == 2);
            peft_trainer_free(x);
            tiny_free(&t);
            tiny_batch_free(&b);
        }
}
END_TEST

START_TEST(gradients_that_are_refused)
{
    peft_trainer *x;
    tiny t = make(&recipes[1], "ce", &x);
    tiny_batch b = tiny_batch_make(t.model, N, 0);
    peft_tensor *g = tiny_tensor(t.ctx, PEFT_F32, 2, N, 3), *small = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, N, 3), *whole = tiny_tensor(t.ctx, PEFT_I64, 2, N, 3);
    tiny_bits before = { 0 }, after = { 0 };
    static const char none[] = "call peft_trainer_forward first";
    for (int i = 0; i < 2; i++) tiny_step(x, N, N * i);
    FAILS(PEFT_E_STATE, none, peft_trainer_backward_logits(x, g, 0));
    tiny_bits_training(&before, x);
    OK(peft_trainer_forward(x, b.images, NULL));
    FAILS(PEFT_E_SHAPE, "gradient: given [2, 3], expected [3, 3]", peft_trainer_backward_logits(x, small, 0));
    FAILS(PEFT_E_DTYPE, "gradient: given i64, expected f32", peft_trainer_backward_logits(x, whole, 0));
    FAILS(PEFT_E_INVALID, "gradient is NULL", peft_trainer_backward_logits(x, NULL, 0));
    ((float *)g->data)[4] = INFINITY;
    FAILS(PEFT_E_NONFINITE, "gradient: holds NaN or Inf at step 1", peft_trainer_backward_logits(x, g, 0));
    FAILS(PEFT_E_STATE, none, peft_trainer_backward_logits(x, g, 0));
    ((float *)g->data)[4] = 0;
    OK(peft_trainer_forward(x, b.images, NULL));
    FAILS(PEFT_E_NONFINITE, "the loss is infinite", peft_trainer_backward_logits(x, g, INFINITY));
    tiny_bits_training(&after, x);
    tiny_same(&before, &after, "gradients that were refused");         /* running statistics too */
    tiny_bits_free(&before);
    OK(peft_trainer_forward(x, b.images, NULL));
    OK(peft_trainer_evaluate(x, b.images, logits));
    FAILS(PEFT_E_STATE, none, peft_trainer_backward_logits(x, g, 0));
    OK(peft_trainer_forward(x, b.images, NULL));
    OK(peft_trainer_backward_logits(x, g, 0));
    FAILS(PEFT_E_STATE, none, peft_trainer_backward_logits(x, g, 0));
    FAILS(PEFT_E_INVALID, "images is NULL", peft_trainer_forward(x, NULL, b.ids));
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_forward(NULL, b.images, NULL));
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_backward_logits(NULL, g, 0));
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_set_loss(NULL, compute, NULL));
    tiny_step(x, N, 0);                                        /* the second pass of the update, of a whole batch */
    ck_assert(x->step == 2);
    peft_tensor *all[] = { g, small, logits, whole };
    for (int i = 0; i < 4; i++) peft_tensor_free(all[i]);
    tiny_batch_free(&b);
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

/* --- labels, sessions, states --------------------------------------------------------------------------------------- */
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

START_TEST(labels_are_passed_on)
{
    peft_trainer *x;
    tiny t = make(&recipes[0], "ce", &x);
    tiny_batch b = tiny_batch_make(t.model, N, 0);
    peft_tensor *odd = tiny_tensor(t.ctx, PEFT_F64, 3, 2, 5, 7);
    const peft_tensor *seen = odd;
    OK(peft_trainer_set_loss(x, sum_of_logits, &seen));
    OK(peft_trainer_step(x, b.images, NULL, NULL));
    ck_assert_ptr_null(seen);
    OK(peft_trainer_step(x, b.images, odd, NULL));
    ck_assert_ptr_eq(seen, odd);
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
    tiny t = make(&recipes[1], "ce", &x);
    own o = { .trainer = x, .loss = &x->loss, .session = tiny_session(t.model, "batch=%d", 1) };
    OK(peft_trainer_set_loss(x, compute, &o));
    tiny_step(x, N, 0);
    ck_assert_int_eq(o.calls, 1);
    peft_session_free(o.session);
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

START_TEST(states_tell_of_the_function)
{
    peft_trainer *x;
    tiny t = make(&recipes[0], "ce", &x);
    own o = { .trainer = x, .loss = &x->loss };
    OK(peft_trainer_set_loss(x, compute, &o));
    tiny_step(x, N, 0);
    OK(peft_trainer_save(x, tiny_path("own")));
    OK(peft_trainer_set_loss(x, NULL, NULL));
    FAILS(PEFT_E_MISMATCH, "a loss function, the trainer has that of option loss",
          peft_trainer_restore(x, tiny_path("own")));
    OK(peft_trainer_save(x, tiny_path("table")));
    OK(peft_trainer_set_loss(x, compute, &o));
    FAILS(PEFT_E_MISMATCH, "the loss of option loss, the trainer has a loss function",
          peft_trainer_restore(x, tiny_path("table")));
    OK(peft_trainer_restore(x, tiny_path("own")));
    peft_trainer_free(x);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* fit hands out labels as the option's loss takes them, and goes on where the function failed. */
static int64_t next(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    own *o = user;
    (void)epoch;
    if (batch == 3) return 0;
    tiny_batch b = tiny_batch_make(o->trainer->model, N, (int)batch * N);
    memcpy(images->data, b.images->data, pf_tensor_bytes(b.images));
    memcpy(labels->data, b.targets->data, pf_tensor_bytes(b.targets));
    memcpy(ids, b.ids, sizeof *ids * N);
    tiny_batch_free(&b);
    return N;
}

START_TEST(in_fit)
{
    const recipe r = { "lora", "classes=3,head=bn_linear", ",accumulate=2" };
    tiny_bits bits[2] = { { 0 } };
    for (int fail = 0; fail < 2; fail++) {
        peft_trainer *x;
        tiny t = make(&r, "bce", &x);
        own o = { .trainer = x, .loss = &x->loss, .mode = fail ? STOP : FINE };
        OK(peft_trainer_set_loss(x, compute, &o));
        if (fail) FAILS(PEFT_E_CANCELLED, "loss function at step 0", peft_trainer_fit(x, 2, next, NULL, &o));
        o.mode = FINE;
        OK(peft_trainer_fit(x, 2, next, NULL, &o));
        ck_assert(x->step == 4 && o.calls == 6 + fail);
        tiny_bits_training(&bits[fail], x);
        peft_trainer_free(x);
        tiny_free(&t);
    }
    tiny_same(&bits[0], &bits[1], "fit");
    tiny_bits_free(&bits[0]);
}
END_TEST

SUITE_MAIN("own_loss", same_bits_as_the_table, cross_entropy_of_the_program, failures_change_nothing,
           gradients_that_are_refused, labels_are_passed_on, sessions_predict_in_the_loss_function,
           states_tell_of_the_function, in_fit)
