/* SPDX-License-Identifier: Apache-2.0
 * test_newer_options.c -- options that version 1.0 did not have. A training state that uses the default of one has no
 * entry for it, as if version 1.0 had saved it, and is restored; a state with another value is only restored with
 * it. */
#include "tiny_files.h"

/* The option `entry` of the trainer, or of the method; value: one that is not its default; more: further options of
 * the trainer; beside: those that only a trainer with the value has. */
static const struct { const char *method, *entry, *value, *more, *beside; } newer[] = {
    { "vpt", "rank", "2", "", "" }, { "partial", "layers", "random:2:5", "", "" },
    { "partial", "part", "attention", "", "" }, { "bitfit", "proximal", "0.5", "", "" },
    { "bitfit", "local_steps", "3", "", "" }, { "bitfit", "local_from", "4", "", "" },
    { "bitfit", "extrapolate", "momentum", ",optimizer=sgd", ",extrapolate_lr=0.1" } };
enum { NEWER = sizeof newer / sizeof *newer };

static bool of_method(int i) { return tiny_has_option(newer[i].method, newer[i].entry); }

/* A model and a trainer; with: the option has its other value. */
static peft_trainer *make(int i, bool with, tiny *t)
{
    char option[80] = "";
    if (with) snprintf(option, sizeof option, "%s=%s", newer[i].entry, newer[i].value);
    *t = tiny_make(&(tiny_spec){ .method = newer[i].method, .adapter = of_method(i) ? option : NULL });
    return tiny_trainer(t->model, "batch=3%s%s,%s", newer[i].more, with ? newer[i].beside : "",
                        of_method(i) ? "" : option);
}

static void check_entry(int i, bool with)
{
    char key[96];
    pf_st *st;
    tiny t;
    peft_trainer *x = make(i, with, &t);
    tiny_step(x, 3, 0);
    OK(peft_trainer_save(x, tiny_path(with ? "with" : "without")));
    OK(pf_st_read(t.ctx, tiny_path(with ? "with" : "without"), &st));
    snprintf(key, sizeof key, "libpeft.%s.option.%s", of_method(i) ? "adapter.0" : "trainer", newer[i].entry);
    if (with) ck_assert_str_eq(pf_st_meta(st, key), newer[i].value);
    else ck_assert_msg(!pf_st_meta(st, key), "%s is in the file", key);
    pf_st_close(st);
    peft_trainer_free(x);
    tiny_free(&t);
}

START_TEST(defaults_of_newer_options_are_not_saved_and_other_values_must_be_equal)
{
    for (int i = 0; i < NEWER; i++) {
        for (int with = 0; with < 2; with++) check_entry(i, with);
        for (int with = 0; with < 2; with++) {
            tiny t;
            peft_trainer *x = make(i, with, &t);
            FAILS(PEFT_E_MISMATCH, newer[i].entry, peft_trainer_restore(x, tiny_path(with ? "without" : "with")));
            FAILS(PEFT_E_MISMATCH, newer[i].value, peft_trainer_restore(x, tiny_path(with ? "without" : "with")));
            OK(peft_trainer_restore(x, tiny_path(with ? "with" : "without")));
            peft_trainer_free(x);
            tiny_free(&t);
        }
    }
    tiny_clean();
}
END_TEST

SUITE_MAIN("newer options", defaults_of_newer_options_are_not_saved_and_other_values_must_be_equal)
