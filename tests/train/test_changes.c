/* SPDX-License-Identifier: Apache-2.0
 * test_changes.c -- changes between updates: the learning rate (peft_trainer_set_lr) and frozen parameters
 * (peft_trainer_freeze), also across save and restore; the figures of a trainer by name. */
#include "tiny_files.h"
#include "trainer_values.h"

enum { N = 3, STEPS = 8 };

/* --- the learning rate ------------------------------------------------------------------------------------------ */
/* peft_trainer_set_lr before the first step gives the bits of the option lr. */
static void check_set_lr_equals_option(const char *schedule)
{
    tiny_bits bits[2] = { { 0 } };
    for (int set = 0; set < 2; set++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
        peft_trainer *x = tiny_trainer(t.model, "batch=%d,lr=%s,%s", N, set ? "0.5" : "0.02", schedule);
        if (set) OK(peft_trainer_set_lr(x, 0.02));
        for (int i = 0; i < STEPS; i++) tiny_step(x, N, N * i);
        tiny_bits_training(&bits[set], x);
        peft_trainer_free(x);
        tiny_free(&t);
    }
    tiny_same(&bits[0], &bits[1], schedule);                              /* frees bits[1] */
    tiny_bits_free(&bits[0]);
}

START_TEST(a_rate_set_at_the_start_equals_the_option)
{
    check_set_lr_equals_option("schedule=constant");
    check_set_lr_equals_option("schedule=step,decay_every=2,decay=0.5");
    check_set_lr_equals_option("schedule=warmup_cosine,steps=8,warmup=2,min_lr=0.001,start_lr=0.01");
    check_set_lr_equals_option("schedule=linear,steps=6");
}
END_TEST

START_TEST(a_rate_set_later_scales_the_schedule)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_trainer *x = tiny_trainer(t.model, "batch=%d,lr=0.1,schedule=step,decay_every=2,decay=0.5", N);
    const double set[STEPS] = { 0.1, 0.1, 0.1, 0.3, 0.3, 0.7, 0.7, 0.7 };
    for (int i = 0; i < STEPS; i++) {
        if (!i || set[i] != set[i - 1]) OK(peft_trainer_set_lr(x, set[i]));
        tiny_step(x, N, N * i);
        ck_assert_double_eq(peft_trainer_get(x, "lr"), set[i] * pow(0.5, i / 2));
    }
    peft_trainer_free(x);
    x = tiny_trainer(t.model, "batch=%d,lr=0.1,schedule=cosine,steps=5,min_lr=0.01", N);
    FAILS(PEFT_E_INVALID, "lr: given 0.001, expected a number from 0.01 (min_lr) to 1e6", peft_trainer_set_lr(x, 1e-3));
    FAILS(PEFT_E_INVALID, "lr: given nan", peft_trainer_set_lr(x, NAN));
    FAILS(PEFT_E_INVALID, "lr: given inf", peft_trainer_set_lr(x, INFINITY));
    FAILS(PEFT_E_INVALID, "lr: given -1", peft_trainer_set_lr(x, -1));
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_set_lr(NULL, 1));
    tiny_step(x, N, 0);
    ck_assert_double_eq(peft_trainer_get(x, "lr"), 0.1);                  /* the refused values changed nothing */
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

/* --- frozen parameters ------------------------------------------------------------------------------------------ */
/* The trainer's record of the parameter `name`. */
static const pf_trained *trained(const peft_trainer *x, const char *name)
{
    for (size_t i = 0; i < x->trained_count; i++) if (!strcmp(x->trained[i].p->name, name)) return &x->trained[i];
    ck_abort_msg("no parameter %s", name);
}

/* One update with and without frozen parameters, from the same values: frozen ones keep their values and moments of 0;
 * the others get the same bits. */
static void check_one_update(const char *options, const char *pattern)
{
    tiny_spec spec = { .method = "lora", .model = "classes=3,head=mlp,head_layers=1" };
    tiny t[2] = { tiny_make(&spec), tiny_make(&spec) };
    peft_trainer *x[2];
    for (int i = 0; i < 2; i++) x[i] = tiny_trainer(t[i].model, "batch=%d,lr=0.1,%s", N, options);
    tiny before = tiny_make(&spec);
    OK(peft_trainer_freeze(x[1], pattern, 1));
    for (int i = 0; i < 2; i++) tiny_step(x[i], N, 0);
    double squares = 0;
    int frozen = 0;
    for (size_t i = 0; i < x[1]->trained_count; i++) {
        const pf_trained *s = &x[1]->trained[i];
        const size_t bytes = (size_t)s->count * sizeof(pk_real);
        const bool is_frozen = s->frozen;
        frozen += is_frozen;
        const float *g = peft_tensor_cdata(peft_param_grad(s->p));
        for (int64_t k = 0; k < s->count; k++) {
            if (is_frozen) ck_assert(s->m[k] == 0 && (!s->v || s->v[k] == 0));
            else squares += (double)g[k] * (double)g[k];
        }
        const void *expected = is_frozen ? values(before.model, s->p->name) : x[0]->trained[i].p->value.data;
        ck_assert_msg(!memcmp(s->p->value.data, expected, bytes), "%s, %s: %s", options, pattern, s->p->name);
        ck_assert(is_frozen || !memcmp(s->m, x[0]->trained[i].m, bytes));
    }
    ck_assert(frozen > 0 && frozen < (int)x[1]->trained_count);
    near(peft_trainer_get(x[1], "grad_norm"), sqrt(squares), 1e-6, "grad_norm");
    ck_assert(peft_trainer_get(x[1], "grad_norm") < peft_trainer_get(x[0], "grad_norm"));
    for (int i = 0; i < 2; i++) {
        peft_trainer_free(x[i]);
        tiny_free(&t[i]);
    }
    tiny_free(&before);
}

START_TEST(frozen_parameters_keep_their_values)
{
    check_one_update("weight_decay=0.5", "group:head");
    check_one_update("optimizer=sgd,weight_decay=0.5", "head.*");
    check_one_update("optimizer=sgd,momentum=0", "blocks.?.attn*");
}
END_TEST

typedef enum { ADAMW, SGD } optimiser;

/* The first update of a parameter that was frozen has no moments yet: AdamW takes lr * g / (|g| + eps), SGD lr * g. */
static void check_first_update_after_freezing(optimiser kind, const char *options)
{
    enum { C = 3 };
    const double lr = 0.01, eps = 1e-6;
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    peft_trainer *x = tiny_trainer(t.model, "batch=%d,lr=0.01,%s", N, options);
    OK(peft_trainer_freeze(x, "head.bias", 1));
    for (int i = 0; i < 5; i++) tiny_step(x, N, N * i);
    OK(peft_trainer_freeze(x, "head.bias", 0));
    float before[C];
    memcpy(before, values(t.model, "head.bias"), sizeof before);
    tiny_step(x, N, 100);
    for (int i = 0; i < C; i++) {
        const double g = gradient(t.model, "head.bias")[i];
        near(values(t.model, "head.bias")[i], before[i] - lr * (kind == ADAMW ? g / (fabs(g) + eps) : g), 1e-6,
             options);
    }
    ck_assert(trained(x, "head.bias")->skipped == 5 && trained(x, "head.weight")->skipped == 0);
    peft_trainer_free(x);
    tiny_free(&t);
}

START_TEST(moments_begin_at_the_first_update_of_a_parameter)
{
    check_first_update_after_freezing(ADAMW, "eps=1e-6,beta1=0.7,beta2=0.99");
    check_first_update_after_freezing(SGD, "optimizer=sgd,momentum=0.9");
}
END_TEST

START_TEST(all_parameters_can_be_frozen)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    peft_trainer *x = tiny_trainer(t.model, "batch=%d,weight_decay=0.1", N);
    tiny_bits before = { 0 }, after = { 0 };
    OK(peft_trainer_freeze(x, "*", 1));
    tiny_bits_model(&before, t.model);
    tiny_step(x, N, 0);
    tiny_bits_model(&after, t.model);
    tiny_same(&before, &after, "all frozen");
    tiny_bits_free(&before);
    ck_assert(peft_trainer_get(x, "step") == 1 && peft_trainer_get(x, "grad_norm") == 0);
    OK(peft_trainer_freeze(x, "group:prompt", 0));
    ck_assert(!trained(x, "prompt")->frozen && trained(x, "head.bias")->frozen);
    FAILS(PEFT_E_NOTFOUND, "pattern 'group:heads': no trained parameter has such a name or group",
          peft_trainer_freeze(x, "group:heads", 1));
    FAILS(PEFT_E_NOTFOUND, "pattern 'nothing*'", peft_trainer_freeze(x, "nothing*", 1));
    FAILS(PEFT_E_INVALID, "pattern is NULL", peft_trainer_freeze(x, NULL, 1));
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_freeze(NULL, "*", 1));
    OK(peft_trainer_group(x, "group:head", 2, 0.5));
    ck_assert(trained(x, "head.bias")->lr_scale == 2 && trained(x, "prompt")->lr_scale == 1);
    peft_trainer_free(x);
    tiny_free(&t);
}
END_TEST

/* --- save and restore ------------------------------------------------------------------------------------------ */
/* The changes before step `step`. */
static void change(peft_trainer *x, int step)
{
    if (step == 0) OK(peft_trainer_freeze(x, "*", 1));
    if (step == 0) OK(peft_trainer_freeze(x, "group:head", 0));
    if (step == 2) OK(peft_trainer_set_lr(x, 0.003));
    if (step == 4) OK(peft_trainer_freeze(x, "*", 0));
    if (step == 5) OK(peft_trainer_freeze(x, "head.bias", 1));
    if (step == 6) OK(peft_trainer_set_lr(x, 0.1 / 3));
}

/* Steps from .. to - 1 with their changes. */
static void train(peft_trainer *x, int from, int to)
{
    for (int i = from; i < to; i++) {
        change(x, i);
        tiny_step(x, N, N * i);
    }
}

static tiny make_trainer(peft_trainer **x, const char *options)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .adapter = "dropout=0.2" });
    *x = tiny_trainer(t.model, "batch=%d,lr=0.01,weight_decay=0.1,%s", N, options);
    return t;
}

static void free_trainer(tiny *t, peft_trainer *x)
{
    peft_trainer_free(x);
    tiny_free(t);
}

START_TEST(a_run_resumed_at_any_step_ends_with_the_same_bits)
{
    static const char *const options[] = { "clip_norm=0.2", "optimizer=sgd,schedule=cosine,steps=20" };
    for (int k = 0; k < 2; k++) {
        tiny_bits uninterrupted = { 0 };
        peft_trainer *x;
        tiny t = make_trainer(&x, options[k]);
        train(x, 0, STEPS);
        tiny_bits_training(&uninterrupted, x);
        free_trainer(&t, x);
        for (int saved_step = 0; saved_step <= STEPS; saved_step++) {
            tiny_bits resumed = { 0 };
            t = make_trainer(&x, options[k]);
            train(x, 0, saved_step);
            OK(peft_trainer_save(x, tiny_path("state")));
            free_trainer(&t, x);
            t = make_trainer(&x, options[k]);
            OK(peft_trainer_set_lr(x, 7));                     /* restore overwrites both settings */
            OK(peft_trainer_freeze(x, "*lora*", 1));
            OK(peft_trainer_restore(x, tiny_path("state")));
            train(x, saved_step, STEPS);
            tiny_bits_training(&resumed, x);
            free_trainer(&t, x);
            tiny_same(&uninterrupted, &resumed, options[k]);
        }
        tiny_bits_free(&uninterrupted);
    }
    tiny_clean();
}
END_TEST

/* libpeft.frozen.NAME holds two numbers, such as "1 6": 1 if the parameter is frozen, else 0; updates that left it out,
 * at most the 6 of the run. */
START_TEST(damaged_entries_of_a_state_are_refused)
{
    static const struct { const char *key, *value, *text; } bad[] = {
        { "libpeft.lr", "fast", "'libpeft.lr': given 'fast', expected a learning rate" },
        { "libpeft.lr", "-1", "libpeft.lr" }, { "libpeft.lr", "1e7", "libpeft.lr" },
        { "libpeft.frozen.head.bias", "2 0", "libpeft.frozen.head.bias" },
        { "libpeft.frozen.head.bias", "1", "given '1'" }, { "libpeft.frozen.head.bias", "1 7", "0 to 6" },
        { "libpeft.frozen.head.bias", "", "given ''" }, { "libpeft.frozen.head.bias", "1 -1", "0 to 6" },
        { "libpeft.frozen.head.bias", "1 0 0", "updates before a warm start" },
        { "libpeft.frozen.head.bias", "1 0 -2", "given '1 0 -2'" }, { "libpeft.frozen.head.bias", "1 0 3 4", "given" },
        { "libpeft.frozen.head.bias", "1 2x", "given '1 2x'" },
        { "libpeft.frozen.tail", "1 0", "the model does not have" } };
    peft_trainer *x;
    tiny t = make_trainer(&x, "clip_norm=1");
    train(x, 0, 6);
    OK(peft_trainer_save(x, tiny_path("good")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tiny_bits before = { 0 }, after = { 0 };
        tiny_edit(tiny_path("good"), tiny_path("state"), &(tiny_change){ SET_META, bad[i].key, bad[i].value });
        tiny_bits_training(&before, x);
        FAILS(PEFT_E_FORMAT, bad[i].text, peft_trainer_restore(x, tiny_path("state")));
        tiny_bits_training(&after, x);
        tiny_same(&before, &after, bad[i].key);
        tiny_bits_free(&before);
        ck_assert(x->schedule.lr == 0.003 && trained(x, "head.bias")->frozen);
    }
    free_trainer(&t, x);
    tiny_clean();
}
END_TEST

/* --- rates that the progress callback sets ----------------------------------------------------------------------- */
/* Four batches an epoch; user: the model. */
static int64_t next_batch(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                          void *user)
{
    (void)epoch, (void)ids;
    if (batch == 4) return 0;
    tiny_batch b = tiny_batch_make(user, N, (int)batch * N);
    memcpy(peft_tensor_data(images), peft_tensor_cdata(b.images), pf_tensor_bytes(b.images));
    memcpy(peft_tensor_data(labels), peft_tensor_cdata(b.labels), pf_tensor_bytes(b.labels));
    tiny_batch_free(&b);
    return N;
}

/* Halves the rate after every update: 0.08, 0.04, ... */
static int halve_rate(peft_trainer *t, void *user)
{
    int64_t step;
    (void)user;
    OK(peft_trainer_get_int(t, "step", &step));
    ck_assert_double_eq(peft_trainer_get(t, "lr"), 0.08 / (double)((int64_t)1 << (step - 1)));
    OK(peft_trainer_set_lr(t, 0.08 / (double)((int64_t)1 << step)));
    return 0;
}

START_TEST(the_progress_callback_can_set_the_rate)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_trainer *x = tiny_trainer(t.model, "batch=%d,lr=0.08", N);
    OK(peft_trainer_fit(x, 2, next_batch, halve_rate, t.model));
    ck_assert(peft_trainer_get(x, "step") == 8);
    free_trainer(&t, x);
}
END_TEST

/* --- figures ---------------------------------------------------------------------------------------------------- */
START_TEST(figures_are_given_by_name)
{
    static const char *const numbers[] = { "loss", "lr", "grad_norm", "step_seconds", "added_loss" };
    static const char *const counts[] = { "step", "epoch", "batch_in_epoch", "samples", "planned_bytes", "arena_bytes",
                                          "flops", "cache_hits", "cache_samples", "trainable_parameters" };
    peft_trainer *x;
    tiny t = make_trainer(&x, "cache_features=100000");
    int64_t count = -5;
    double number = -5;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        FAILS(PEFT_E_STATE, numbers[i], peft_trainer_get_float(x, numbers[i], &number));
        FAILS(PEFT_E_DTYPE, "peft_trainer_get_float", peft_trainer_get_int(x, numbers[i], &count));
        ck_assert(isnan(peft_trainer_get(x, numbers[i])));
    }
    FAILS(PEFT_E_NOTFOUND, "'steps': a trainer has no such figure; did you mean 'step'?; expected loss, lr, grad_norm, "
          "step, epoch, batch_in_epoch, samples, step_seconds, planned_bytes, arena_bytes, flops, cache_hits, "
          "cache_samples, trainable_parameters or added_loss", peft_trainer_get_int(x, "steps", &count));
    FAILS(PEFT_E_NOTFOUND, "'Loss'", peft_trainer_get_float(x, "Loss", &number));
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_get_int(NULL, "step", &count));
    FAILS(PEFT_E_INVALID, "name is NULL", peft_trainer_get_float(x, NULL, &number));
    FAILS(PEFT_E_INVALID, "out is NULL", peft_trainer_get_float(x, "step", NULL));
    ck_assert(count == -5 && number == -5);
    for (int i = 0; i < 2; i++) tiny_step(x, N, 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        OK(peft_trainer_get_float(x, numbers[i], &number));
        ck_assert(number == peft_trainer_get(x, numbers[i]) && isfinite(number));
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        OK(peft_trainer_get_int(x, counts[i], &count));
        OK(peft_trainer_get_float(x, counts[i], &number));
        ck_assert(number == (double)count && peft_trainer_get(x, counts[i]) == number);
    }
    OK(peft_trainer_get_int(x, "step", &count));
    ck_assert_int_eq(count, 2);
    x->samples = ((int64_t)1 << 53) + 1;                       /* a count that a double cannot hold */
    OK(peft_trainer_get_int(x, "samples", &count));
    ck_assert(count == ((int64_t)1 << 53) + 1);
    ck_assert(isnan(peft_trainer_get(x, "steps")) && isnan(peft_trainer_get(NULL, "step")));
    free_trainer(&t, x);
}
END_TEST

SUITE_MAIN("changes", a_rate_set_at_the_start_equals_the_option, a_rate_set_later_scales_the_schedule,
           frozen_parameters_keep_their_values, moments_begin_at_the_first_update_of_a_parameter,
           all_parameters_can_be_frozen, a_run_resumed_at_any_step_ends_with_the_same_bits,
           damaged_entries_of_a_state_are_refused, the_progress_callback_can_set_the_rate, figures_are_given_by_name)
