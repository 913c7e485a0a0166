/* SPDX-License-Identifier: Apache-2.0
 * class_table.c -- writes a table of the figures of each method and class of masks, with bootstrap intervals over the
 * patients or cases of all runs. */
#include "common/cases/cases.h"
#include "common/program/errors.h"
#include "common/segment/figures/case_means.h"
#include "report/predictions/pairs.h"
#include "report/report_parts.h"
#include <math.h>
#include <stdlib.h>

/* A figure of the table, and what its values are multiplied by. */
static const struct shown { int kind; double factor; int decimals; const char *name; } shown[] = {
    { CASE_DICE, 100, 1, "Dice, %" }, { CASE_IOU, 100, 1, "IoU, %" }, { CASE_HD95, 1, 1, "HD95" },
    { CASE_SURFACE_DISTANCE, 1, 1, "Surface distance" } };
enum { figures = sizeof shown / sizeof *shown };

/* The cases of all runs of a method, and the group of each: that of its patient, or of its name. */
typedef struct all_cases { int64_t n; const char **name; double *value[figures]; case_list groups; } all_cases;

/* Values [n, classes] as means count them. */
static all_cases collect(const study *s, const method *m)
{
    all_cases a = { .n = 0 };
    const bool millimetres = unit_of_distances(s)[0] == 'm';
    for (int64_t i = 0; i < s->runs; i++) a.n += m->run[i].images;
    const size_t cells = (size_t)(a.n * s->classes) + 1;
    a.name = check_alloc(malloc(((size_t)a.n + 1) * sizeof *a.name));
    for (int k = 0; k < figures; k++) a.value[k] = check_alloc(malloc(cells * sizeof *a.value[k]));
    int64_t at = 0;
    for (int64_t i = 0; i < s->runs; i++) {
        const run *r = &m->run[i];
        for (int64_t j = 0; j < r->images; j++, at++) {
            a.name[at] = study_has_patients(s) && r->patient[j] ? r->patient[j] : r->name[j];
            for (int k = 0; k < figures; k++)
                for (int64_t c = 0; c < s->classes; c++)
                    a.value[k][at * s->classes + c] = counted_value(&r->cases, millimetres, shown[k].kind, j, c);
        }
    }
    a.groups = find_cases(a.name, NULL, a.n);
    return a;
}

/* How many cases have the class in one of both masks alone: its distances are infinite. */
static int64_t count_missed(const study *s, const method *m, int64_t class)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->runs; i++)
        for (int64_t j = 0; j < m->run[i].images; j++)
            n += isinf(m->run[i].cases.value[CASE_HD95][j * s->classes + class]) != 0;
    return n;
}

static int64_t count_defined(const double *v, int64_t n, int64_t classes, int64_t class)
{
    int64_t defined = 0;
    for (int64_t i = 0; i < n; i++) defined += !isnan(v[i * classes + class]);
    return defined;
}

/* Adds a row for each class of the method. */
static void add_method(table *t, peft_context *ctx, const study *s, const method *m)
{
    all_cases a = collect(s, m);
    peft_estimate *e = check_alloc(calloc((size_t)s->classes * figures, sizeof *e));
    for (int k = 0; k < figures; k++) {
        const peft_samples samples = { .n = a.n, .classes = s->classes, .scores = a.value[k], .groups = a.groups.of };
        must(peft_statistics_bootstrap(ctx, &samples, "mean", NULL, e + k * s->classes, (size_t)s->classes));
    }
    for (int64_t c = 0; c < s->classes; c++) {
        add_row(t, m->label);
        add_text(t, s->class_name[c]);
        add_number(t, (double)count_defined(a.value[0], a.n, s->classes, c));
        for (int k = 0; k < figures; k++) {
            const peft_estimate *of = &e[k * s->classes + c];
            add_number(t, shown[k].factor * of->value);
            add_numbers(t, isnan(of->high) ? NAN : shown[k].factor * of->low, shown[k].factor * of->high);
        }
        add_number(t, (double)count_missed(s, m, c));
    }
    for (int k = 0; k < figures; k++) free(a.value[k]);
    free_cases(&a.groups);
    free(a.name);
    free(e);
}

void put_class_table(page *p, const study *s)
{
    peft_context *ctx;
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    table *t = new_table("Figures of each class", "Method");
    add_number_column(t, "Class", 0);
    add_number_column(t, "Cases", WHOLE);
    for (int k = 0; k < figures; k++) {
        char heading[64], low[80], high[80];
        const bool distance = is_case_distance(shown[k].kind);
        snprintf(heading, sizeof heading, "%s%s%s", shown[k].name, distance ? ", " : "",
                 distance ? unit_of_distances(s) : "");
        add_number_column(t, heading, shown[k].decimals);
        snprintf(low, sizeof low, "%s: 95 %% interval from", shown[k].name);
        snprintf(high, sizeof high, "%s: to", shown[k].name);
        add_column(t, (table_column){ .heading = "95 % interval", .decimals = shown[k].decimals, .joiner = " to ",
                                      .first = low, .second = high });
    }
    add_number_column(t, "In one mask alone", WHOLE);
    for (int64_t m = 0; m < s->methods; m++)
        if (s->method[m].done) add_method(t, ctx, s, &s->method[m]);
    fprintf(p->f, "<p class=\"small\">Means over the held-out cases of all runs in which the figure is defined. Cases: "
            "those with the class in one of both masks. In one mask alone: those in which the prediction misses the "
            "class, or invents it; they have no distance. 95 %% intervals are bootstraps of %s (2,000 "
            "resamples).</p>\n", drawn_units(s));
    put_table(p, t);
    peft_context_free(ctx);
}
