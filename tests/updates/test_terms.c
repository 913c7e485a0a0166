/* SPDX-License-Identifier: Apache-2.0
 * test_terms.c -- the trainer's options proximal and extrapolate against their equations in double, from gradients of a
 * trainer without them: values after each update, the same bits after a resume, and what they take of memory. */
#include "../train/trainer_values.h"
#include "tiny_files.h"

enum { N = 3, UPDATES = 6, PASSES = 2 };

/* nesterov, clip, decay: options of SGD with momentum 0.9; proximal: mu; extrapolate, its rate; linear: schedule. */
typedef struct terms {
    double proximal, clip, decay, rate;
    const char *extrapolate;
    int nesterov, linear;
} terms;
static const terms cases[] = {
    { .proximal = 2 }, { .proximal = 5, .clip = 0.3, .decay = 0.2, .nesterov = 1 },
    { .extrapolate = "gradient", .rate = 0.5 }, { .extrapolate = "gradient", .rate = 0.5, .nesterov = 1, .clip = 0.3 },
    { .extrapolate = "momentum", .rate = 0.2, .linear = 1 },
    { .extrapolate = "gradient", .rate = 0.5, .proximal = 2, .nesterov = 1, .linear = 1 } };
enum { CASES = sizeof cases / sizeof *cases };
static const double LR = 0.05, MOMENTUM = 0.9;

static const char *text_of(const terms *c)
{
    static char text[300];
    int n = snprintf(text, sizeof text, "batch=%d,accumulate=%d,optimizer=sgd,lr=%g,momentum=%g,nesterov=%d,"
                     "weight_decay=%g,clip_norm=%g,proximal=%g", N, PASSES, LR, MOMENTUM, c->nesterov, c->decay,
                     c->clip, c->proximal);
    if (c->linear) n += snprintf(text + n, sizeof text - (size_t)n, ",schedule=linear,steps=%d", UPDATES + 1);
    if (c->extrapolate) snprintf(text + n, sizeof text - (size_t)n, ",extrapolate=%s,extrapolate_lr=%g", c->extrapolate,
                                 c->rate);
    return text;
}

static tiny model(void) { return tiny_make(&(tiny_spec){ .method = "lora", .adapter = "r=2" }); }

/* --- the equations ------------------------------------------------------------------------------------------------ */
/* Training in double; all parameters in one array. net, plain: a model and a trainer that compute gradients. */
typedef struct reference {
    tiny net;
    peft_trainer *plain;
    int64_t count;
    double *w, *start, *buffer, *direction, *g;
} reference;

static reference reference_make(void)
{
    reference r = { .net = model() };
    r.plain = tiny_trainer(r.net.model, "batch=%d,accumulate=100,optimizer=sgd,lr=0", N);
    r.count = peft_model_trainable_count(r.net.model);
    double **const arrays[] = { &r.w, &r.start, &r.buffer, &r.direction, &r.g };
    for (int k = 0; k < 5; k++) *arrays[k] = calloc((size_t)r.count, sizeof(double));
    int64_t at = 0;
    for (size_t i = 0; i < r.plain->trained_count; i++) {
        const pk_real *x = r.plain->trained[i].p->value.data;
        for (int64_t k = 0; k < r.plain->trained[i].count; k++, at++) r.w[at] = r.start[at] = (double)x[k];
    }
    return r;
}

static void reference_free(reference *r)
{
    double *const arrays[] = { r->w, r->start, r->buffer, r->direction, r->g };
    for (int k = 0; k < 5; k++) free(arrays[k]);
    peft_trainer_free(r->plain);
    tiny_free(&r->net);
}

/* Sets g to the mean gradient at w - rate * direction over the passes of update `update`. */
static void gradient_at(reference *r, double rate, const double *direction, int update)
{
    int64_t at = 0;
    for (size_t i = 0; i < r->plain->trained_count; i++) {
        const pf_trained *s = &r->plain->trained[i];
        for (int64_t k = 0; k < s->count; k++, at++)
            ((pk_real *)s->p->value.data)[k] = (pk_real)(r->w[at] - rate * direction[at]);
    }
    for (int pass = 0; pass < PASSES; pass++) {
        tiny_batch b = tiny_batch_make(r->net.model, N, (update * PASSES + pass) * N);
        OK(peft_trainer_backward(r->plain, b.images, b.labels, b.ids));
        tiny_batch_free(&b);
    }
    at = 0;
    for (size_t i = 0; i < r->plain->trained_count; i++) {
        const pk_real *g = r->plain->trained[i].p->grad.data;
        for (int64_t k = 0; k < r->plain->trained[i].count; k++, at++) r->g[at] = (double)g[k] / PASSES;
    }
    OK(peft_trainer_update(r->plain));                     /* lr is 0: the next backward pass begins a new sum */
}

/* One update; returns the norm of the gradient before clipping. */
static double reference_update(reference *r, const terms *c, int update)
{
    const double factor = c->linear ? 1 - (double)update / (UPDATES + 1) : 1;
    const bool momentum = c->extrapolate && !strcmp(c->extrapolate, "momentum");
    gradient_at(r, c->rate * factor, momentum ? r->buffer : r->direction, update);
    double square = 0;
    for (int64_t i = 0; i < r->count; i++) {
        r->direction[i] = r->g[i];
        r->g[i] += c->proximal * (r->w[i] - r->start[i]);
        square += r->g[i] * r->g[i];
    }
    const double norm = sqrt(square), scale = c->clip > 0 ? fmin(1, c->clip / (norm + 1e-6)) : 1;
    for (int64_t i = 0; i < r->count; i++) {
        const double g = scale * r->g[i] + c->decay * r->w[i];
        r->buffer[i] = update ? MOMENTUM * r->buffer[i] + g : g;
        r->w[i] -= LR * factor * (c->nesterov ? g + MOMENTUM * r->buffer[i] : r->buffer[i]);
    }
    return norm;
}

/* The largest |parameter - x|. */
static double distance(const peft_trainer *t, const double *x)
{
    double most = 0;
    for (size_t i = 0; i < t->trained_count; i++) {
        const pk_real *w = t->trained[i].p->value.data;
        for (int64_t k = 0; k < t->trained[i].count; k++) most = fmax(most, fabs((double)w[k] - *x++));
    }
    return most;
}

static void train(peft_trainer *t, int from, int to)
{
    for (int i = from; i < to; i++) tiny_step(t, N, i * N);
}

START_TEST(updates_follow_the_equations)
{
    for (int c = 0; c < CASES; c++) {
        const char *what = text_of(&cases[c]);
        reference r = reference_make(), without = reference_make();
        terms plain = cases[c];
        plain.proximal = plain.rate = 0;
        tiny t = model();
        peft_trainer *x = tiny_trainer(t.model, "%s", what);
        for (int u = 0; u < UPDATES; u++) {
            train(x, u * PASSES, (u + 1) * PASSES);
            const double norm = reference_update(&r, &cases[c], u);
            reference_update(&without, &plain, u);
            ck_assert_msg(distance(x, r.w) <= 1e-5, "%s: update %d: a value is %g off", what, u, distance(x, r.w));
            ck_assert_msg(fabs(peft_trainer_get(x, "grad_norm") - norm) <= 1e-4 * norm, "%s: norm %g, expected %g",
                          what, peft_trainer_get(x, "grad_norm"), norm);
        }
        ck_assert_msg(distance(x, without.w) >= 1e-4, "%s: the options change values by %g only", what,
                      distance(x, without.w));
        peft_trainer_free(x);
        tiny_free(&t);
        reference_free(&r);
        reference_free(&without);
    }
}
END_TEST

/* --- bits --------------------------------------------------------------------------------------------------------- */
static void resume_at_every_step(const char *options)
{
    tiny_bits whole = { 0 };
    tiny t = model();
    peft_trainer *x = tiny_trainer(t.model, "%s", options);
    train(x, 0, UPDATES * PASSES);
    tiny_bits_training(&whole, x);
    peft_trainer_free(x);
    tiny_free(&t);
    for (int k = 0; k <= UPDATES * PASSES; k++) {
        tiny_bits resumed = { 0 };
        char name[400];
        t = model();
        x = tiny_trainer(t.model, "%s,threads=2", options);
        train(x, 0, k);
        OK(peft_trainer_save(x, tiny_path("state")));
        peft_trainer_free(x);
        tiny_free(&t);
        t = model();
        tiny_perturb(t.model);
        x = tiny_trainer(t.model, "%s", options);
        OK(peft_trainer_restore(x, tiny_path("state")));
        train(x, k, UPDATES * PASSES);
        tiny_bits_training(&resumed, x);
        snprintf(name, sizeof name, "%s, resumed after %d", options, k);
        tiny_same(&whole, &resumed, name);
        tiny_bits_free(&resumed);
        peft_trainer_free(x);
        tiny_free(&t);
    }
    tiny_bits_free(&whole);
    tiny_clean();
}

START_TEST(a_resumed_run_has_the_same_bits)
{
    for (int c = 0; c < CASES; c++) resume_at_every_step(text_of(&cases[c]));
    resume_at_every_step("batch=3,accumulate=2,optimizer=sgd,lr=0.05,extrapolate=noise,extrapolate_lr=0.01");
    resume_at_every_step("batch=3,accumulate=2,proximal=0.5");
}
END_TEST

/* --- noise -------------------------------------------------------------------------------------------------------- */
enum { MOVES = 4 };
/* What the passes of a trainer add to the parameters, read by its loss function, which changes nothing. */
typedef struct moves { peft_trainer *t; double *start, *moved[MOVES]; int passes; } moves;

static int read_values(const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient, double *loss,
                       void *user)
{
    moves *m = user;
    double *to = m->moved[m->passes++];
    (void)logits, (void)labels, (void)gradient;
    *loss = 0;
    for (size_t i = 0; i < m->t->trained_count; i++) {
        const pk_real *w = m->t->trained[i].p->value.data;
        for (int64_t k = 0; k < m->t->trained[i].count; k++) *to++ = (double)w[k];
    }
    return 0;
}

/* Noise has the mean 0 and the variance 1, differs between passes, and is gone after the pass. */
START_TEST(noise_is_standard_normal_and_drawn_for_each_pass)
{
    const double rate = 0.01;
    tiny t = model();
    const int64_t n = peft_model_trainable_count(t.model);
    moves m = { .t = tiny_trainer(t.model, "batch=3,accumulate=2,optimizer=sgd,extrapolate=noise,extrapolate_lr=%g",
                                  rate) };
    reference r = reference_make();
    for (int k = 0; k < MOVES; k++) m.moved[k] = calloc((size_t)n, sizeof(double));
    OK(peft_trainer_set_loss(m.t, read_values, &m));
    for (int k = 0; k < MOVES; k++) {
        double sum = 0, square = 0, product = 0;
        tiny_step(m.t, N, 0);
        ck_assert_double_eq(distance(m.t, r.w), 0);        /* gradients are 0: only the noise could change values */
        for (int64_t i = 0; i < n; i++) {
            const double z = (m.moved[k][i] - r.w[i]) / rate;
            sum += z / (double)n;
            square += z * z / (double)n;
            if (k) product += z * (m.moved[k - 1][i] - r.w[i]) / rate / (double)n;
        }
        const double deviation = 1 / sqrt((double)n);
        ck_assert_msg(fabs(sum) <= 5 * deviation && fabs(square - 1) <= 5 * sqrt(2) * deviation
                      && fabs(product) <= 5 * deviation, "pass %d: mean %g, mean square %g, product with the pass "
                      "before %g", k, sum, square, product);
    }
    for (int k = 0; k < MOVES; k++) free(m.moved[k]);
    reference_free(&r);
    peft_trainer_free(m.t);
    tiny_free(&t);
}
END_TEST

/* --- memory and frozen parameters --------------------------------------------------------------------------------- */
static int64_t bytes_with(const char *options)
{
    tiny t = model();
    int64_t bytes;
    peft_trainer *x = tiny_trainer(t.model, "batch=3,optimizer=sgd%s", options);
    OK(peft_trainer_get_int(x, "planned_bytes", &bytes));
    peft_trainer_free(x);
    tiny_free(&t);
    return bytes;
}

START_TEST(copies_of_the_parameters_are_planned)
{
    static const struct { const char *options; int copies; } rows[] = {
        { ",proximal=1", 1 }, { ",extrapolate=gradient,extrapolate_lr=1", 2 },
        { ",extrapolate=noise,extrapolate_lr=1", 1 }, { ",extrapolate=momentum,extrapolate_lr=1,proximal=1", 2 } };
    tiny t = model();
    const int64_t copy = peft_model_trainable_count(t.model) * (int64_t)sizeof(pk_real), without = bytes_with("");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_int_eq(bytes_with(rows[i].options) - without, rows[i].copies * copy);
    tiny_free(&t);
}
END_TEST

START_TEST(frozen_parameters_stay_as_they_are)
{
    tiny t = model();
    peft_trainer *x = tiny_trainer(t.model, "batch=3,optimizer=sgd,lr=0.1,proximal=1,extrapolate=gradient,"
                                   "extrapolate_lr=1");
    tiny_step(x, N, 0);
    OK(peft_trainer_freeze(x, "*", 1));
    tiny_bits before = { 0 }, after = { 0 };
    tiny_bits_model(&before, t.model);
    tiny_step(x, N, 0);
    tiny_bits_model(&after, t.model);
    tiny_same(&before, &after, "frozen");
    ck_assert_double_eq(peft_trainer_get(x, "grad_norm"), 0);
    tiny_bits_free(&before);
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

/* Between peft_trainer_forward and the backward pass the parameters are moved; a state has them as they were, and so
 * has the trainer once it restores a state. */
START_TEST(a_state_saved_within_a_pass_has_the_values_before_it)
{
    tiny t = model();
    peft_trainer *x = tiny_trainer(t.model, "batch=3,optimizer=sgd,extrapolate=noise,extrapolate_lr=0.1");
    reference r = reference_make();
    tiny_batch b = tiny_batch_make(t.model, N, 0);
    OK(peft_trainer_forward(x, b.images, b.ids));
    ck_assert_double_gt(distance(x, r.w), 0.01);
    OK(peft_trainer_save(x, tiny_path("state")));
    OK(peft_trainer_restore(x, tiny_path("state")));
    ck_assert_double_eq(distance(x, r.w), 0);
    OK(peft_trainer_forward(x, b.images, b.ids));
    FAILS(PEFT_E_STATE, "peft_trainer_backward", peft_trainer_update(x));
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, N, 3);
    OK(peft_trainer_evaluate(x, b.images, logits));        /* drops the forward pass */
    ck_assert_double_eq(distance(x, r.w), 0);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    reference_free(&r);
    peft_trainer_free(x);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(options_without_a_meaning_are_refused)
{
    static const char *const wrong[][2] = {
        { "extrapolate=gradient,extrapolate_lr=1", "optimizer" },
        { "optimizer=sgd,extrapolate=gradient", "more than 0" },
        { "optimizer=sgd,extrapolate_lr=1", "extrapolate" }, { "proximal=-1", "proximal" },
        { "optimizer=sgd,extrapolate=past", "none, gradient, noise or momentum" },
        { "local_steps=0", "local_steps" } };
    tiny t = model();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        peft_trainer *x;
        peft_options *o = tiny_options(t.ctx, "%s", wrong[i][0]);
        FAILS(PEFT_E_OPTION, wrong[i][1], peft_trainer_create(t.model, o, &x));
        peft_options_free(o);
    }
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("terms of an update", updates_follow_the_equations, a_resumed_run_has_the_same_bits,
           noise_is_standard_normal_and_drawn_for_each_pass, copies_of_the_parameters_are_planned,
           frozen_parameters_stay_as_they_are, a_state_saved_within_a_pass_has_the_values_before_it,
           options_without_a_meaning_are_refused)
