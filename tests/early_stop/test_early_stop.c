/* SPDX-License-Identifier: Apache-2.0
 * test_early_stop.c -- peft_early_stop: the best values come back bit for bit, for every method; the rule when to stop;
 * NaN; files; failing allocations. */
#include <peft/early_stop.h>
#include "failing_alloc.h"
#include "tiny_files.h"

static peft_early_stop *early_stop(peft_model *m, const char *options)
{
    peft_early_stop *e;
    peft_options *o = tiny_options(m->backbone->ctx, "%s", options);
    OK(peft_early_stop_create(m, o, &e));
    peft_options_free(o);
    return e;
}

/* Trains three epochs of two steps, of which the second is the best, and expects its values back. */
static void check_restore(const char *method, const char *model)
{
    tiny t = tiny_make(&(tiny_spec){ .method = method, .model = model });
    peft_trainer *x = tiny_trainer(t.model, "batch=2,lr=0.01");
    peft_early_stop *e = early_stop(t.model, "patience=1");
    const double figure[] = { 0.5, 0.75, 0.6 };
    uint64_t sum[3];
    int stop;
    for (int epoch = 0; epoch < 3; epoch++) {
        for (int k = 0; k < 2; k++) tiny_step(x, 2, 2 * epoch + k);
        sum[epoch] = pf_model_checksum(t.model);
        OK(peft_early_stop_offer(e, epoch, figure[epoch], &stop));
        ck_assert_int_eq(stop, epoch == 2);
    }
    ck_assert(sum[0] != sum[1] && sum[1] != sum[2]);
    ck_assert_int_eq(peft_early_stop_best_epoch(e), 1);
    ck_assert_double_eq(peft_early_stop_best_figure(e), 0.75);
    ck_assert_int_eq(peft_early_stop_waited(e), 1);
    OK(peft_early_stop_restore(e));
    ck_assert_msg(pf_model_checksum(t.model) == sum[1], "%s: other bits than after the best epoch", method);
    tiny_step(x, 2, 9);                                       /* the trainer goes on from there */
    ck_assert(pf_model_checksum(t.model) != sum[1]);
    OK(peft_early_stop_restore(e));
    ck_assert(pf_model_checksum(t.model) == sum[1]);
    peft_early_stop_free(e);
    peft_trainer_free(x);
    tiny_free(&t);
}

START_TEST(the_best_epoch_comes_back_for_every_method)
{
    for (size_t i = 0; i < tiny_method_count(); i++) check_restore(tiny_method_name(i), NULL);
    check_restore("lora", "classes=3,head=bn_linear");        /* with running statistics */
}
END_TEST

/* Offers the figures and expects a stop after the last one alone, with this best epoch. */
static void check_rule(const char *options, const double *figure, int count, int64_t best)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    peft_early_stop *e = early_stop(t.model, options);
    for (int k = 0; k < count; k++) {
        int stop = -1;
        OK(peft_early_stop_offer(e, k + 1, figure[k], &stop));
        ck_assert_msg(stop == (k == count - 1), "%s: figure %d: stop is %d", options, k, stop);
    }
    ck_assert_int_eq(peft_early_stop_best_epoch(e), best);
    peft_early_stop_free(e);
    tiny_free(&t);
}
#define CHECK_RULE(options, best, ...) \
    check_rule(options, (const double[]){ __VA_ARGS__ }, sizeof((const double[]){ __VA_ARGS__ }) / sizeof(double), best)

START_TEST(patience_counts_epochs_without_improvement)
{
    CHECK_RULE("patience=2", 2, 0.1, 0.2, 0.2, 0.15);
    CHECK_RULE("patience=2,goal=min", 3, 3, 4, 1, 1, 2);
    CHECK_RULE("patience=2,min_delta=0.1", 1, 0.5, 0.55, 0.6);            /* by less than min_delta over the best */
    CHECK_RULE("patience=2,goal=min,min_delta=0.5", 2, 3, 2, 1.75, 1.5);
    CHECK_RULE("patience=2", 1, 0.3, NAN, NAN);
    CHECK_RULE("patience=3", 3, NAN, INFINITY, 0.1, 0.05, NAN, 0);
}
END_TEST

START_TEST(nan_is_never_the_best)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    peft_early_stop *e = early_stop(t.model, "goal=min");
    int stop;
    const uint64_t before = pf_model_checksum(t.model);
    FAILS(PEFT_E_STATE, "no figure was offered", peft_early_stop_restore(e));
    OK(peft_early_stop_offer(e, 0, NAN, &stop));
    OK(peft_early_stop_offer(e, 1, -INFINITY, &stop));
    ck_assert_int_eq(stop, 0);                                /* patience=0: never */
    ck_assert(isnan(peft_early_stop_best_figure(e)));
    FAILS(PEFT_E_STATE, "NaN or infinite", peft_early_stop_restore(e));
    ck_assert(pf_model_checksum(t.model) == before);
    OK(peft_early_stop_offer(e, 2, 7, NULL));
    ck_assert_int_eq(peft_early_stop_best_epoch(e), 2);
    FAILS(PEFT_E_INVALID, "epoch: given 2, expected 3", peft_early_stop_offer(e, 2, 1, NULL));
    peft_early_stop_free(e);
    tiny_free(&t);
}
END_TEST

START_TEST(wrong_arguments_are_errors)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    peft_adapter *bias = tiny_adapter(t.backbone, "bitfit", NULL);
    peft_early_stop *e = early_stop(t.model, ""), *none = NULL;
    peft_options *o = tiny_options(t.ctx, "goal=largest"), *unknown = tiny_options(t.ctx, "patiense=2");
    FAILS(PEFT_E_OPTION, "goal: given 'largest', expected max or min", peft_early_stop_create(t.model, o, &none));
    FAILS(PEFT_E_OPTION, "patiense", peft_early_stop_create(t.model, unknown, &none));
    FAILS(PEFT_E_INVALID, "model", peft_early_stop_create(NULL, NULL, &none));
    FAILS(PEFT_E_INVALID, "early_stop: e is NULL", peft_early_stop_restore(NULL));
    FAILS(PEFT_E_INVALID, "early_stop: e is NULL", peft_early_stop_offer(NULL, 0, 0, NULL));
    FAILS(PEFT_E_INVALID, "early_stop: e is NULL", peft_early_stop_load(NULL, "x"));
    FAILS(PEFT_E_INVALID, "early_stop: e is NULL", peft_early_stop_save(NULL, "x"));
    FAILS(PEFT_E_STATE, "attach", peft_model_attach(t.model, bias));
    ck_assert_ptr_null(none);
    ck_assert_str_eq(peft_option_name(peft_early_stop_option(0)), "goal");
    peft_early_stop_free(e);
    peft_early_stop_free(NULL);
    OK(peft_model_attach(t.model, bias));
    peft_options_free(o);
    peft_options_free(unknown);
    peft_adapter_free(bias);
    tiny_free(&t);
}
END_TEST

START_TEST(a_file_continues_an_interrupted_training)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .model = "classes=3,head=bn_linear" });
    tiny other = tiny_make(&(tiny_spec){ .method = "ept" });
    peft_trainer *x = tiny_trainer(t.model, "batch=2");
    peft_early_stop *e = early_stop(t.model, "patience=3");
    const char *path = tiny_path("best"), *empty = tiny_path("empty");
    int stop;
    OK(peft_early_stop_save(e, empty));
    tiny_step(x, 2, 0);
    const uint64_t best = pf_model_checksum(t.model);
    OK(peft_early_stop_offer(e, 4, 0.625, NULL));
    tiny_step(x, 2, 1);
    OK(peft_early_stop_offer(e, 5, 0.5, NULL));
    OK(peft_early_stop_save(e, path));
    peft_early_stop_free(e);
    e = early_stop(t.model, "patience=3");
    OK(peft_early_stop_load(e, path));
    ck_assert_int_eq(peft_early_stop_best_epoch(e), 4);
    ck_assert_double_eq(peft_early_stop_best_figure(e), 0.625);
    OK(peft_early_stop_offer(e, 6, 0.5, &stop));
    ck_assert_int_eq(stop, 0);
    OK(peft_early_stop_offer(e, 7, 0.5, &stop));
    ck_assert_int_eq(stop, 1);
    OK(peft_early_stop_restore(e));
    ck_assert(pf_model_checksum(t.model) == best);
    peft_early_stop *minimum = early_stop(t.model, "goal=min"), *ept = early_stop(other.model, "");
    FAILS(PEFT_E_MISMATCH, "goal", peft_early_stop_load(minimum, path));
    FAILS(PEFT_E_FORMAT, "missing", peft_early_stop_load(ept, path));
    ck_assert_int_eq(peft_early_stop_best_epoch(ept), -1);
    OK(peft_early_stop_load(ept, empty));
    OK(peft_trainer_save(x, tiny_path("state")));
    FAILS(PEFT_E_FORMAT, "expected a best_epoch", peft_early_stop_load(e, tiny_path("state")));
    FAILS(PEFT_E_IO, "nowhere", peft_early_stop_load(e, tiny_path("nowhere")));
    FAILS(PEFT_E_INVALID, "path", peft_early_stop_save(e, NULL));
    peft_early_stop_free(e);
    peft_early_stop_free(minimum);
    peft_early_stop_free(ept);
    peft_trainer_free(x);
    tiny_free(&t);
    tiny_free(&other);
}
END_TEST

/* Figures and counters that offers cannot lead to. The object stays as it was, and a figure improves on its best. */
START_TEST(damaged_numbers_are_refused)
{
    static const struct { const char *key, *value, *message; } damage[] = {
        { "libpeft.best_figure", "nan", "given 'nan', expected a finite number" },
        { "libpeft.best_figure", "inf", "given 'inf', expected a finite number" },
        { "libpeft.best_figure", "-inf", "expected a finite number" },
        { "libpeft.best_figure", "many", "expected a finite number" },
        { "libpeft.best_epoch", "6", "given 6, expected at most the last epoch, 5" },
        { "libpeft.best_epoch", "-2", "given -2, expected -1 or more" },
        { "libpeft.last_epoch", "3", "given 4, expected at most the last epoch, 3" },
        { "libpeft.waited", "-1", "given -1, expected 0 to 1" },
        { "libpeft.waited", "2", "given 2, expected 0 to 1" } };
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_early_stop *e = early_stop(t.model, "");
    char path[128], bad[128];
    snprintf(path, sizeof path, "%s", tiny_path("whole"));
    snprintf(bad, sizeof bad, "%s", tiny_path("bad"));
    OK(peft_early_stop_offer(e, 4, 0.625, NULL));
    OK(peft_early_stop_offer(e, 5, 0.5, NULL));
    OK(peft_early_stop_save(e, path));
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        tiny_edit(path, bad, &(tiny_change){ SET_META, damage[i].key, damage[i].value });
        FAILS(PEFT_E_FORMAT, damage[i].message, peft_early_stop_load(e, bad));
        ck_assert_int_eq(peft_early_stop_best_epoch(e), 4);
        ck_assert_double_eq(peft_early_stop_best_figure(e), 0.625);
        ck_assert_int_eq(peft_early_stop_waited(e), 1);
    }
    OK(peft_early_stop_load(e, path));
    OK(peft_early_stop_offer(e, 6, 0.75, NULL));
    ck_assert_int_eq(peft_early_stop_best_epoch(e), 6);
    peft_early_stop_free(e);
    tiny_free(&t);
}
END_TEST

/* Makes, offers, saves and loads in a context whose allocations fail; the model stays as it was. */
static peft_status whole_life(peft_context *ctx, void *path)
{
    peft_options *o = NULL;
    peft_backbone *b = NULL;
    peft_model *m = NULL;
    peft_early_stop *e = NULL;
    peft_status s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "image_size=8,patch=4,width=16,depth=1,heads=2,mlp=16,classes=5");
    if (!s) s = peft_backbone_create(ctx, o, &b);
    peft_options_free(o);
    o = NULL;
    if (!s) s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "classes=3");
    if (!s) s = peft_model_create(b, o, &m);
    if (!s) s = peft_early_stop_create(m, NULL, &e);
    if (!s) s = peft_early_stop_offer(e, 0, 1, NULL);
    if (!s) s = peft_early_stop_save(e, path);
    if (!s) s = peft_early_stop_load(e, path);
    if (!s) s = peft_early_stop_restore(e);
    peft_early_stop_free(e);
    peft_model_free(m);
    peft_backbone_free(b);
    peft_options_free(o);
    return s;
}

START_TEST(failing_allocations_leak_nothing)
{
    char path[400];
    snprintf(path, sizeof path, "%s", tiny_path("life"));
    ck_assert_int_gt(failing_alloc_loop(whole_life, path), 20);
}
END_TEST

SUITE_MAIN("early_stop", the_best_epoch_comes_back_for_every_method, patience_counts_epochs_without_improvement,
           nan_is_never_the_best, wrong_arguments_are_errors, a_file_continues_an_interrupted_training,
           damaged_numbers_are_refused, failing_allocations_leak_nothing)
