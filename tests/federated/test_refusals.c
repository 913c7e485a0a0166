/* SPDX-License-Identifier: Apache-2.0
 * test_refusals.c -- mixtures that do not fit are refused with both values, and change nothing; a result is written as
 * a whole or not at all, also when a system call fails or the process is killed. */
#include <signal.h>
#include <sys/wait.h>
#include "sites.h"

static char other_path[128];

/* Expects a refusal of the site at `path`, and that the sums are the same after it. */
static void check_refused(const sites *s, peft_status status, const char *message, const char *path)
{
    peft_aggregator *a = sites_aggregator(s, "");
    char expected[128];
    OK(peft_aggregator_start(a, s->start));
    OK(peft_aggregator_add(a, s->site[0], 1));
    OK(peft_aggregator_write(a, tiny_path("before")));
    snprintf(expected, sizeof expected, "%s", tiny_path("before"));
    FAILS(status, message, peft_aggregator_add(a, path, 1));
    ck_assert_msg(strstr(peft_last_error(), path) != NULL, "no path in: %s", peft_last_error());
    ck_assert_uint_eq(peft_aggregator_sites(a), 1);
    OK(peft_aggregator_write(a, other_path));
    tiny_same_files(expected, other_path);
    peft_aggregator_free(a);
}

/* The same for site 1 with one change. */
static void check_changed(const sites *s, peft_status status, const char *message, tiny_change c)
{
    char path[128];
    snprintf(path, sizeof path, "%s", tiny_path("changed"));
    tiny_edit(s->site[1], path, &c);
    check_refused(s, status, message, path);
}

/* The same for a model of another method or other options. */
static void check_model(const sites *s, const char *message, const char *method, const char *options,
                        const char *model)
{
    char path[128];
    snprintf(path, sizeof path, "%s", tiny_path("other"));
    tiny t = tiny_make(&(tiny_spec){ .method = method, .adapter = options, .model = model });
    OK(peft_model_save(t.model, path));
    tiny_free(&t);
    check_refused(s, PEFT_E_MISMATCH, message, path);
}

START_TEST(mixtures_are_refused)
{
    sites s = sites_make(&(tiny_spec){ .method = "lora", .adapter = "r=2" });
    snprintf(other_path, sizeof other_path, "%s", tiny_path("after"));
    check_model(&s, "given 'vpt', the start has 'lora'", "vpt", NULL, NULL);
    check_model(&s, "option 'r' of method lora: given '4', the start has '2'", "lora", "r=4", NULL);
    check_model(&s, "option 'classes' of the model: given '4', the start has '3'", "lora", "r=2", "classes=4");
    check_changed(&s, PEFT_E_MISMATCH, "backbone: given 'f00'",
                  (tiny_change){ SET_META, "libpeft.backbone.fingerprint", "f00" });
    check_changed(&s, PEFT_E_MISMATCH, "image size: given '32', the start has '16'",
                  (tiny_change){ SET_META, "libpeft.backbone.image_size", "32" });
    check_changed(&s, PEFT_E_MISMATCH, "has no tensor 'head.bias'", (tiny_change){ DROP, "head.bias", NULL });
    check_changed(&s, PEFT_E_MISMATCH, "has a tensor 'extra'", (tiny_change){ ADD, "extra", NULL });
    check_changed(&s, PEFT_E_MISMATCH, "tensor 'head.weight' is [1, 48], and that of the start [3, 48]",
                  (tiny_change){ CUT, "head.weight", NULL });
    check_changed(&s, PEFT_E_DTYPE, "given I32", (tiny_change){ RETYPE, "head.bias", NULL });
    check_changed(&s, PEFT_E_FORMAT, "expected the file of an adapter or a model",
                  (tiny_change){ SET_META, "libpeft.kind", "trainer" });
    sites_free(&s);
}
END_TEST

/* Options that mean the same are no difference: another order, a default that is given, a number written otherwise. */
START_TEST(equal_options_fit)
{
    sites s = sites_make(&(tiny_spec){ .method = "lora", .adapter = "r=2,alpha=16" });
    peft_aggregator *a = sites_aggregator(&s, "");
    char path[128];
    snprintf(path, sizeof path, "%s", tiny_path("same"));
    tiny_edit(s.site[1], path, &(tiny_change){ SET_META, "libpeft.adapter.0.options",
                                               "dropout=\"0\",alpha=\"16.0\",r=\"2\"" });
    OK(peft_aggregator_start(a, s.start));
    OK(peft_aggregator_add(a, path, 1));
    peft_aggregator_free(a);
    sites_free(&s);
}
END_TEST

START_TEST(notes_must_agree)
{
    sites s = sites_make(&(tiny_spec){ .method = "ept" });
    char start[128], site[128];
    peft_aggregator *a = sites_aggregator(&s, "");
    snprintf(start, sizeof start, "%s", tiny_path("named"));
    snprintf(site, sizeof site, "%s", tiny_path("named_otherwise"));
    tiny_edit(s.start, start, &(tiny_change){ SET_META, "class_names", "a\nb\nc" });
    tiny_edit(s.site[0], site, &(tiny_change){ SET_META, "class_names", "b\na\nc" });
    OK(peft_aggregator_start(a, start));
    FAILS(PEFT_E_MISMATCH, "classes: given", peft_aggregator_add(a, site, 1));
    OK(peft_aggregator_add(a, s.site[0], 1));                 /* a file without the note */
    peft_aggregator_free(a);
    sites_free(&s);
}
END_TEST

START_TEST(numbers_are_checked)
{
    sites s = sites_make(&(tiny_spec){ .method = "ept" });
    peft_aggregator *a = sites_aggregator(&s, ""), *out;
    peft_model *m = sites_load(&s, s.site[0]);
    peft_options *o;
    const double weights[] = { 0, -1, NAN, INFINITY };
    OK(peft_aggregator_start(a, s.start));
    FAILS(PEFT_E_STATE, "set already", peft_aggregator_start(a, s.start));
    FAILS(PEFT_E_STATE, "no site was added", peft_aggregator_write(a, tiny_path("nothing")));
    for (size_t i = 0; i < 4; i++)
        FAILS(PEFT_E_INVALID, "expected a number above 0", peft_aggregator_add(a, s.site[0], weights[i]));
    FAILS(PEFT_E_INVALID, "aggregator is NULL", peft_aggregator_add(NULL, s.site[0], 1));
    peft_aggregator_free(a);
    peft_model_free(m);
    static const struct { const char *options, *message; peft_status status; } bad[] = {
        { "lora=best", "expected factors, product or stack", PEFT_E_OPTION },
        { "noise=1", "clip_norm", PEFT_E_OPTION }, { "sites=3", "with noise only", PEFT_E_OPTION },
        { "mean=1", "mean", PEFT_E_OPTION } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o = tiny_options(s.t.ctx, "%s", bad[i].options);
        FAILS(bad[i].status, bad[i].message, peft_aggregator_create(s.t.ctx, o, &out));
        peft_options_free(o);
    }
    static const char *const unsuited[] = { "lora=product", "lora=stack" };
    for (size_t i = 0; i < 2; i++) {
        a = sites_aggregator(&s, unsuited[i]);
        FAILS(PEFT_E_UNSUPPORTED, "does not have", peft_aggregator_start(a, s.start));
        peft_aggregator_free(a);
    }
    a = sites_aggregator(&s, "clip_norm=1");
    FAILS(PEFT_E_STATE, "start", peft_aggregator_add(a, s.site[0], 1));
    peft_aggregator_free(a);
    sites_free(&s);
}
END_TEST

/* A value that is NaN, and files that were cut short. */
START_TEST(nan_is_refused)
{
    sites s = sites_make(&(tiny_spec){ .method = "ept" });
    size_t size;
    peft_tensor *file;
    peft_model *m = sites_load(&s, s.site[0]);
    peft_aggregator *a = sites_aggregator(&s, "");
    OK(peft_model_save_bytes(m, &file));
    size = (size_t)peft_tensor_count(file);
    memset((char *)peft_tensor_data(file) + size - 4, 0xff, 4);          /* the last value */
    OK(peft_aggregator_start(a, s.start));
    FAILS(PEFT_E_NONFINITE, "holds NaN or Inf", peft_aggregator_add_bytes(a, peft_tensor_data(file), size, "x", 1));
    for (size_t cut = 1; cut < size; cut += 997)
        ck_assert_int_ne(peft_aggregator_add_bytes(a, peft_tensor_data(file), size - cut, "x", 1), PEFT_OK);
    ck_assert_uint_eq(peft_aggregator_sites(a), 0);
    peft_tensor_free(file);
    peft_model_free(m);
    peft_aggregator_free(a);
    sites_free(&s);
}
END_TEST

/* Kills a process that writes the result again and again: the file is always whole. */
START_TEST(a_killed_process_leaves_a_whole_file)
{
    sites s = sites_make(&(tiny_spec){ .method = "lora" });
    peft_aggregator *a = sites_round(&s, "");
    char path[128];
    snprintf(path, sizeof path, "%s", tiny_path("result"));
    OK(peft_aggregator_write(a, path));
    for (int i = 0; i < 20; i++) {
        const pid_t child = fork();
        if (!child) for (;;) if (peft_aggregator_write(a, path)) _exit(1);
        usleep((useconds_t)(500 + 331 * i));
        kill(child, SIGKILL);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status), "the child ended with an error");
        peft_model_free(sites_load(&s, path));
    }
    peft_aggregator_free(a);
    sites_free(&s);
}
END_TEST

SUITE_MAIN("refusals", mixtures_are_refused, equal_options_fit, notes_must_agree, numbers_are_checked, nan_is_refused,
           a_killed_process_leaves_a_whole_file)
