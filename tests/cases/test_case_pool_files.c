/* SPDX-License-Identifier: Apache-2.0
 * test_case_pool_files.c -- files of case pools keep every bit, and damaged ones are refused; arguments that are
 * refused; a training that is stopped; targets that were not judged; failing allocations. */
#include "tiny_files.h"
#include "cases_data.h"
#include "failing_alloc.h"
#include <unistd.h>

static peft_context *ctx;
static cases_data data;
static void start(void)
{
    OK(peft_context_create(NULL, NULL, NULL, &ctx));
    data = random_cases(false);
}

static void fit(peft_case_pool *p)
{
    OK(peft_case_pool_fit(p, data.features, data.of, SLICES, CASES, data.targets, NULL, NULL));
}

#define RETURNS(status, words, call) do { const peft_status s_ = (call); \
    ck_assert_msg(s_ == (status) && strstr(peft_last_error(), words), "%s: %s", peft_status_name(s_), \
                  peft_last_error()); } while (0)

START_TEST(a_file_keeps_every_bit)
{
    static const char *const options[] = { "hidden=4,epochs=3", "hidden=3,gated=false,epochs=3,threads=2" };
    start();
    for (int k = 0; k < 2; k++) {
        peft_case_pool *p = new_pool(ctx, WIDTH, CLASSES, options[k]), *q;
        double probabilities[2][CASES * CLASSES], weights[2][SLICES];
        fit(p);
        OK(peft_case_pool_set_note(p, "model", "0123"));
        OK(peft_case_pool_save(p, "a.pool"));
        OK(peft_case_pool_load(ctx, "a.pool", &q));
        ck_assert_str_eq(peft_case_pool_note(q, "model"), "0123");
        ck_assert_ptr_null(peft_case_pool_note(q, "other"));
        static const char *const figures[] = { "width", "classes", "hidden", "gated", "multi_label", "parameters",
                                               "epochs" };
        for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
            ck_assert_int_eq(peft_case_pool_get(q, figures[i]), peft_case_pool_get(p, figures[i]));
        ck_assert_int_eq(peft_case_pool_get(p, "epochs"), 3);
        ck_assert_int_eq(peft_case_pool_get(p, "depth"), -1);
        OK(peft_case_pool_predict(p, data.features, data.of, SLICES, CASES, probabilities[0], weights[0]));
        OK(peft_case_pool_predict(q, data.features, data.of, SLICES, CASES, probabilities[1], weights[1]));
        ck_assert_mem_eq(probabilities[0], probabilities[1], sizeof probabilities[0]);
        ck_assert_mem_eq(weights[0], weights[1], sizeof weights[0]);
        OK(peft_case_pool_save(q, "b.pool"));
        tiny_same_files("a.pool", "b.pool");
        fit(q);                                               /* the options are in the file: the same training */
        ck_assert_mem_eq(peft_case_pool_values(q), peft_case_pool_values(p),
                         (size_t)peft_case_pool_get(p, "parameters") * sizeof(double));
        peft_case_pool_free(q);
        peft_case_pool_free(p);
    }
    peft_context_free(ctx);
}
END_TEST

/* A later change of a default does not change a pool that is loaded. */
START_TEST(a_file_has_the_values_of_all_options)
{
    start();
    peft_case_pool *p = new_pool(ctx, WIDTH, CLASSES, "hidden=4,epochs=3");
    peft_file *f;
    OK(peft_case_pool_save(p, "a.pool"));
    OK(peft_file_open(ctx, "a.pool", &f));
    for (size_t i = 0; peft_case_pool_option(i); i++) {
        const char *name = peft_option_name(peft_case_pool_option(i));
        const char *value = peft_option_fallback(peft_case_pool_option(i));
        char key[80];
        if (!strcmp(name, "threads")) continue;               /* the machine's */
        if (!strcmp(name, "hidden")) value = "4";
        if (!strcmp(name, "epochs")) value = "3";
        snprintf(key, sizeof key, "libpeft.case_pool.option.%s", name);
        ck_assert_msg(peft_file_meta(f, key) && !strcmp(peft_file_meta(f, key), value), "%s is %s, expected %s", key,
                      peft_file_meta(f, key), value);
    }
    peft_file_free(f);
    peft_case_pool_free(p);
    peft_context_free(ctx);
}
END_TEST

START_TEST(damaged_files_are_refused)
{
    static const struct { tiny_change change; peft_status status; const char *words; } damage[] = {
        { { SET_META, "libpeft.kind", "adapter" }, PEFT_E_FORMAT, "expected case_pool" },
        { { DROP_META, "libpeft.kind", NULL }, PEFT_E_FORMAT, "libpeft.kind" },
        { { SET_META, "libpeft.format", "2" }, PEFT_E_UNSUPPORTED, "reads 1" },
        { { SET_META, "libpeft.case_pool.option.hidden", "5" }, PEFT_E_FORMAT, "option hidden is 5" },
        { { SET_META, "libpeft.case_pool.option.gated", "false" }, PEFT_E_FORMAT, "7 tensors, expected 6" },
        { { SET_META, "libpeft.case_pool.option.lr", "fast" }, PEFT_E_OPTION, "lr" },
        { { SET_META, "libpeft.case_pool.option.height", "1" }, PEFT_E_OPTION, "height" },
        { { DROP_META, "libpeft.case_pool.epochs", NULL }, PEFT_E_FORMAT, "epochs" },
        { { DROP, "attention.v", NULL }, PEFT_E_FORMAT, "no matrix 'attention.v'" },
        { { DROP, "attention.w", NULL }, PEFT_E_FORMAT, "no tensor 'attention.w'" },
        { { FLATTEN, "classifier.weight", NULL }, PEFT_E_FORMAT, "no matrix 'classifier.weight'" },
        { { CUT, "classifier.bias", NULL }, PEFT_E_FORMAT,
          "tensor 'classifier.bias' has another type or shape" },
        { { CUT, "attention.u", NULL }, PEFT_E_FORMAT, "tensor 'attention.u' has another" },
        { { RETYPE, "features.shift", NULL }, PEFT_E_FORMAT, "tensor 'features.shift' has another" },
        { { ADD, "more", NULL }, PEFT_E_FORMAT, "8 tensors, expected 7" } };
    start();
    peft_case_pool *p = new_pool(ctx, WIDTH, CLASSES, "hidden=4,epochs=1,lr=0.1"), *q = NULL;
    fit(p);
    OK(peft_case_pool_save(p, "a.pool"));
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        tiny_edit("a.pool", "damaged.pool", &damage[i].change);
        RETURNS(damage[i].status, damage[i].words, peft_case_pool_load(ctx, "damaged.pool", &q));
        ck_assert_msg(!strncmp(peft_last_error(), "damaged.pool: ", 14), "%s", peft_last_error());
    }
    RETURNS(PEFT_E_IO, "none.pool", peft_case_pool_load(ctx, "none.pool", &q));
    peft_case_pool_values(p)[2] = NAN;
    RETURNS(PEFT_E_NONFINITE, "attention.v", peft_case_pool_save(p, "nan.pool"));
    ck_assert_int_ne(access("nan.pool", F_OK), 0);
    peft_case_pool_free(p);
    peft_context_free(ctx);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    start();
    peft_options *o;
    peft_case_pool *p, *q;
    double loss, probabilities[CASES * CLASSES];
    OK(peft_options_create(ctx, &o));
    OK(peft_options_set_string(o, "loss", "focal"));
    RETURNS(PEFT_E_OPTION, "expected ce or bce", peft_case_pool_create(ctx, 4, 2, o, &q));
    OK(peft_options_set_string(o, "loss", "ce"));
    OK(peft_options_set_string(o, "hiden", "4"));
    RETURNS(PEFT_E_OPTION, "hidden", peft_case_pool_create(ctx, 4, 2, o, &q));
    peft_options_free(o);
    RETURNS(PEFT_E_INVALID, "width 0", peft_case_pool_create(ctx, 0, 2, NULL, &q));
    RETURNS(PEFT_E_INVALID, "ctx is NULL", peft_case_pool_create(NULL, 4, 2, NULL, &q));
    p = new_pool(ctx, WIDTH, CLASSES, "hidden=4");
    RETURNS(PEFT_E_INVALID, "case 7 has no slice",
          peft_case_pool_predict(p, data.features, data.of, SLICES, CASES + 1, probabilities, NULL));
    RETURNS(PEFT_E_INVALID, "slice 6 has case 6, expected 0 to 5",
          peft_case_pool_predict(p, data.features, data.of, SLICES, CASES - 1, probabilities, NULL));
    RETURNS(PEFT_E_INVALID, "0 slices of 0 cases", peft_case_pool_predict(p, data.features, data.of, 0, 0, NULL, NULL));
    RETURNS(PEFT_E_INVALID, "features is NULL", peft_case_pool_predict(p, NULL, data.of, SLICES, CASES, NULL, NULL));
    RETURNS(PEFT_E_INVALID, "targets is NULL",
          peft_case_pool_fit(p, data.features, data.of, SLICES, CASES, NULL, NULL, NULL));
    data.targets[1] = 1;
    RETURNS(PEFT_E_INVALID, "case 0 has 2 classes, expected one",
          peft_case_pool_fit(p, data.features, data.of, SLICES, CASES, data.targets, NULL, NULL));
    data.targets[1] = -1;
    RETURNS(PEFT_E_INVALID, "case 0, class 1, is not 0 or 1",
          peft_case_pool_loss(p, data.features, data.of, SLICES, CASES, data.targets, &loss, NULL));
    data.features[2 * WIDTH + 1] = INFINITY;
    RETURNS(PEFT_E_NONFINITE, "slice 2", peft_case_pool_predict(p, data.features, data.of, SLICES, CASES, NULL, NULL));
    RETURNS(PEFT_E_INVALID, "does not begin with libpeft.", peft_case_pool_set_note(p, "libpeft.x", "1"));
    peft_case_pool_free(p);
    peft_case_pool_free(NULL);
    peft_context_free(ctx);
}
END_TEST

static int stop_at_two(int64_t epoch, double loss, void *user)
{
    *(double *)user = loss;
    return epoch == 2;
}

START_TEST(a_training_can_be_stopped)
{
    start();
    double loss = 0, first;
    peft_case_pool *p = new_pool(ctx, WIDTH, CLASSES, "hidden=4,epochs=10");
    OK(peft_case_pool_loss(p, data.features, data.of, SLICES, CASES, data.targets, &first, NULL));
    RETURNS(PEFT_E_CANCELLED, "stopped after epoch 2",
          peft_case_pool_fit(p, data.features, data.of, SLICES, CASES, data.targets, stop_at_two, &loss));
    ck_assert_int_eq(peft_case_pool_get(p, "epochs"), 2);
    ck_assert(loss > 0 && loss != first);
    peft_case_pool_free(p);
    peft_context_free(ctx);
}
END_TEST

/* A class that was judged in no case has no gradient, and the loss is that of the others. */
START_TEST(targets_that_were_not_judged_do_not_count)
{
    start();
    double loss, of_two, gradient[100], gradient_of_two[100];
    cases_data d = random_cases(true);
    float two[CASES * 2];
    for (int n = 0; n < CASES; n++) {
        d.targets[n * CLASSES] = two[2 * n] = (float)(n % 2);
        d.targets[n * CLASSES + 1] = two[2 * n + 1] = (float)(n % 3 - 1);
        d.targets[n * CLASSES + 2] = -1;
    }
    peft_case_pool *p = new_pool(ctx, WIDTH, CLASSES, "hidden=4,loss=bce");
    peft_case_pool *q = new_pool(ctx, WIDTH, 2, "hidden=4,loss=bce");
    const int64_t attention = 2 * WIDTH * 4 + 4;              /* parameters before C */
    ck_assert_int_eq(peft_case_pool_get(p, "parameters"), attention + CLASSES * WIDTH + CLASSES);
    memcpy(peft_case_pool_values(q), peft_case_pool_values(p), (size_t)(attention + 2 * WIDTH) * sizeof(double));
    OK(peft_case_pool_loss(p, d.features, d.of, SLICES, CASES, d.targets, &loss, gradient));
    OK(peft_case_pool_loss(q, d.features, d.of, SLICES, CASES, two, &of_two, gradient_of_two));
    ck_assert_double_eq_tol(loss, of_two, 1e-15);
    for (int64_t i = 0; i < attention + 2 * WIDTH; i++)
        ck_assert_double_eq_tol(gradient[i], gradient_of_two[i], 1e-15);
    for (int64_t i = 0; i < WIDTH; i++) ck_assert(gradient[attention + 2 * WIDTH + i] == 0);
    for (int i = 0; i < CASES * CLASSES; i++) d.targets[i] = -1;
    RETURNS(PEFT_E_INVALID, "no target was judged",
          peft_case_pool_loss(p, d.features, d.of, SLICES, CASES, d.targets, &loss, NULL));
    peft_case_pool_free(p);
    peft_case_pool_free(q);
    peft_context_free(ctx);
}
END_TEST

static peft_status all_calls(peft_context *c, void *user)
{
    (void)user;
    peft_case_pool *p = NULL, *q = NULL;
    peft_options *o = NULL;
    double loss, probabilities[CASES * CLASSES];
    peft_status s = peft_options_create(c, &o);
    if (!s) s = peft_options_set_int(o, "epochs", 2);
    if (!s) s = peft_case_pool_create(c, WIDTH, CLASSES, o, &p);
    if (!s) s = peft_case_pool_fit(p, data.features, data.of, SLICES, CASES, data.targets, NULL, NULL);
    if (!s) s = peft_case_pool_loss(p, data.features, data.of, SLICES, CASES, data.targets, &loss, NULL);
    if (!s) s = peft_case_pool_predict(p, data.features, data.of, SLICES, CASES, probabilities, NULL);
    if (!s) s = peft_case_pool_set_note(p, "key", "value");
    if (!s) s = peft_case_pool_save(p, "allocations.pool");
    if (!s) s = peft_case_pool_load(c, "allocations.pool", &q);
    peft_options_free(o);
    peft_case_pool_free(p);
    peft_case_pool_free(q);
    return s;
}

START_TEST(failing_allocations_are_reported)
{
    data = random_cases(false);
    ck_assert_int_gt(failing_alloc_loop(all_calls, NULL), 10);
}
END_TEST

SUITE_MAIN("case_pool_files", a_file_keeps_every_bit, a_file_has_the_values_of_all_options,
           damaged_files_are_refused, wrong_arguments_are_refused, a_training_can_be_stopped,
           targets_that_were_not_judged_do_not_count, failing_allocations_are_reported)
