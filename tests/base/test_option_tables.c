/* SPDX-License-Identifier: Apache-2.0
 * test_option_tables.c -- the public tables of options: each row is complete; the function that takes the options
 * accepts each default, and refuses values of another type or outside the bounds. */
#include <peft/conformal.h>
#include <peft/interop.h>
#include <peft/probe.h>
#include <peft/statistics.h>
#include "tiny.h"

static tiny fixture;
static const char *method;                              /* the method of method_row and create_adapter */

/* --- the functions that take options ------------------------------------------------------------------------------ */
static peft_status load_backbone(const peft_options *o)
{
    peft_backbone *b = NULL;
    const peft_status s = peft_backbone_load(fixture.ctx, tiny_path("backbone.safetensors"), o, &b);
    peft_backbone_free(b);
    return s;
}

static peft_status create_backbone(const peft_options *o)
{
    peft_backbone *b = NULL;
    const peft_status s = peft_backbone_create(fixture.ctx, o, &b);
    peft_backbone_free(b);
    return s;
}

static peft_status save_backbone(const peft_options *o)
{
    return peft_backbone_save_as(fixture.backbone, tiny_path("saved.safetensors"), o);
}

static peft_status save_hf(const peft_options *o) { return peft_adapter_save_hf(fixture.adapter, tiny_path("hf"), o); }

static peft_status create_model(const peft_options *o)
{
    peft_model *m = NULL;
    const peft_status s = peft_model_create(fixture.backbone, o, &m);
    peft_model_free(m);
    return s;
}

static peft_status create_session(const peft_options *o)
{
    peft_session *x = NULL;
    const peft_status s = peft_session_create(fixture.model, o, &x);
    peft_session_free(x);
    return s;
}

static peft_status create_trainer(const peft_options *o)
{
    peft_trainer *x = NULL;
    const peft_status s = peft_trainer_create(fixture.model, o, &x);
    peft_trainer_free(x);
    return s;
}

static peft_status bootstrap(const peft_options *o)
{
    const double scores[4] = { 0.25, 0.75, 0.5, 0.5 };
    const int64_t labels[2] = { 0, 1 };
    const peft_samples s = { .n = 2, .classes = 2, .scores = scores, .labels = labels };
    peft_estimate e;
    return peft_statistics_bootstrap(fixture.ctx, &s, "accuracy", o, &e, 1);
}

static peft_status fit_sets(const peft_options *o)
{
    const double p[4] = { 0.25, 0.75, 0.5, 0.5 };
    const int64_t labels[2] = { 0, 1 };
    double quantiles[2];
    return peft_conformal_fit(fixture.ctx, p, labels, 2, 2, 0.5, o, quantiles);
}

static peft_status fit_probe(const peft_options *o)
{
    const float x[4] = { 0.25f, 0.75f, 0.5f, 0.5f };
    const int64_t labels[2] = { 0, 1 };
    peft_probe *p = NULL;
    const peft_status s = peft_probe_fit(fixture.ctx, x, labels, NULL, 2, 2, 2, o, &p);
    peft_probe_free(p);
    return s;
}

/* Option i of the method; NULL after the last. */
static const peft_option *method_row(size_t i)
{
    const peft_method *m = tiny_method_named(method);
    const peft_option *row = peft_method_option(method, i);
    if (pf_method_in(pf_methods, method)) return row;
    ck_assert_ptr_null(row);                         /* peft_method_option knows built-in methods only */
    return pf_option_at(m->opts, i);
}

/* Creates an adapter, whose options must have the names of the method's rows, in the same order. */
static peft_status create_adapter(const peft_options *o)
{
    peft_adapter *a = NULL;
    const peft_status s = peft_adapter_create(fixture.backbone, method, o, &a);
    for (size_t i = 0; !s && (peft_adapter_option(a, i) || method_row(i)); i++)
        ck_assert_str_eq(peft_option_name(peft_adapter_option(a, i)), peft_option_name(method_row(i)));
    peft_adapter_free(a);
    return s;
}

/* --- a table ------------------------------------------------------------------------------------------------------ */
typedef struct table {
    const char *what;                                   /* in messages */
    const peft_option *(*row)(size_t);                  /* row i; NULL after the last */
    peft_status (*take)(const peft_options *);          /* calls the function that takes these options */
    const char *base;                                   /* options that the function needs besides */
} table;
static const table tables[] = {
    { "loading", peft_backbone_option, load_backbone, "" },
    { "random backbones", peft_backbone_create_option, create_backbone, TINY_BACKBONE },
    { "saving", peft_backbone_save_option, save_backbone, "" },
    { "saving for PEFT", peft_save_hf_option, save_hf, "" },
    { "models", peft_model_option, create_model, "classes=3" },
    { "sessions", peft_session_option, create_session, "" },
    { "trainers", peft_trainer_option, create_trainer, "" },
    { "bootstrap", peft_statistics_option, bootstrap, "" },
    { "prediction sets", peft_conformal_option, fit_sets, "" },
    { "probes", peft_probe_option, fit_probe, "" } };
enum { TABLES = sizeof tables / sizeof *tables };

/* A row has a name that no other row has, a type, a default, a help text, and bounds in order. */
static void check_row(const table *t, const peft_option *o)
{
    static const char *const types[] = { "integer", "float", "boolean", "text" };
    const char *name = peft_option_name(o), *help = peft_option_help(o), *type = peft_option_type(o);
    double low = 1, high = -1;                       /* stay so if the option has no bounds */
    size_t k = 0;
    while (k < 4 && strcmp(types[k], type)) k++;
    const bool is_number = k < 2;
    ck_assert_msg(k < 4, "%s, %s: unknown type '%s'", t->what, name, type);
    ck_assert_msg(*name && peft_option_fallback(o), "%s: a row without name or default", t->what);
    ck_assert_msg(strlen(help) > 8 && !strchr(help, '\n'), "%s, %s: bad help text '%s'", t->what, name, help);
    if (peft_option_bounds(o, &low, &high))
        ck_assert_msg(low < high && is_number, "%s, %s: wrong bounds", t->what, name);
    else ck_assert(low == 1 && high == -1);
    for (size_t i = 0; t->row(i) != o; i++)
        ck_assert_msg(strcmp(peft_option_name(t->row(i)), name), "%s: %s is in the table twice", t->what, name);
}

/* The status of the table's function with one option besides those of t->base. */
static peft_status try_option(const table *t, const char *name, const char *value)
{
    peft_options *o = tiny_options(fixture.ctx, "%s", t->base);
    OK(peft_options_set_string(o, name, value));
    const peft_status s = t->take(o);
    peft_options_free(o);
    return s;
}

/* The function refuses a value of another type, and numbers outside the bounds. */
static void check_refusals(const table *t, const peft_option *o)
{
    const char *name = peft_option_name(o);
    double low, high;
    if (!strcmp(peft_option_type(o), "text")) return;
    FAILS(PEFT_E_OPTION, name, try_option(t, name, "maybe"));
    if (!peft_option_bounds(o, &low, &high)) return;
    const double beyond[] = { low - 1, 2 * high + 1 };               /* below and above the bounds */
    for (int i = 0; i < 2; i++) {
        char text[32];
        snprintf(text, sizeof text, "%.0f", beyond[i]);
        FAILS(PEFT_E_OPTION, name, try_option(t, name, text));
    }
}

/* Checks all rows of a table. */
static void check_table(const table *t)
{
    const peft_option *o;
    size_t n = 0;
    for (; (o = t->row(n)); n++) {
        check_row(t, o);
        const char *name = peft_option_name(o), *fallback = peft_option_fallback(o);
        const peft_status s = try_option(t, name, fallback);
        ck_assert_msg(s == PEFT_OK, "%s: %s=%s: %s", t->what, name, fallback, peft_last_error());
        check_refusals(t, o);
    }
    ck_assert_ptr_null(t->row(n + 1));
    FAILS(PEFT_E_OPTION, "unknown option 'no_such_option'", try_option(t, "no_such_option", "1"));
}

/* A model with LoRA on a backbone of these options, and the backbone's file. */
static void make_fixture(const char *backbone)
{
    fixture = tiny_make(&(tiny_spec){ .backbone = backbone, .method = "lora" });
    OK(peft_backbone_save(fixture.backbone, tiny_path("backbone.safetensors")));
    OK(peft_context_set_log(fixture.ctx, NULL, NULL, 0));                /* without the warnings of loading */
}

START_TEST(tables_are_complete_and_their_defaults_accepted)
{
    make_fixture(TINY_BACKBONE);
    for (int i = 0; i < TABLES; i++) check_table(&tables[i]);
    tiny_free(&fixture);
    tiny_clean();
}
END_TEST

START_TEST(tables_of_methods_are_complete_and_their_defaults_accepted)
{
    make_fixture(TINY_WIDE);
    for (size_t i = 0; i < tiny_method_count(); i++) {
        method = tiny_method_name(i);
        check_table(&(table){ method, method_row, create_adapter, "" });
    }
    tiny_free(&fixture);
    tiny_clean();
}
END_TEST

START_TEST(null_rows_and_unknown_methods_give_nothing)
{
    double low, high;
    ck_assert(!peft_option_name(NULL) && !peft_option_type(NULL));
    ck_assert(!peft_option_fallback(NULL) && !peft_option_help(NULL));
    ck_assert_int_eq(peft_option_bounds(NULL, &low, &high), 0);
    ck_assert_int_eq(peft_option_bounds(peft_trainer_option(0), NULL, NULL), 1);
    ck_assert_ptr_null(peft_method_option("no such method", 0));
    ck_assert_ptr_null(peft_method_option(NULL, 0));
    ck_assert_ptr_null(peft_adapter_option(NULL, 0));
    ck_assert_ptr_null(peft_session_option(SIZE_MAX));
}
END_TEST

SUITE_MAIN("option tables", tables_are_complete_and_their_defaults_accepted,
           tables_of_methods_are_complete_and_their_defaults_accepted, null_rows_and_unknown_methods_give_nothing)
