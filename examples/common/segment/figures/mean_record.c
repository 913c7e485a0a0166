/* SPDX-License-Identifier: Apache-2.0
 * mean_record.c -- the part of a training record with figures of masks (mean_figures.h). */
#include "mean_figures.h"
#include "common/record/record.h"
#include <math.h>
#include <stdio.h>

static void record_class(json_writer *w, const mean_figures *m, int64_t c)
{
    json_object(w, NULL);
    json_text(w, "class", m->of->class_name[c]);
    for (int k = 0; k < CASE_KINDS; k++) record_estimate(w, case_figure_name[k], &m->figure[k][c].e);
    json_object(w, "cases");                                  /* that each mean is over */
    for (int k = 0; k < CASE_KINDS; k++) json_integer(w, case_figure_name[k], m->figure[k][c].cases);
    json_close(w);
    json_integer(w, "infinite", m->figure[CASE_HD95][c].infinite);
    json_integer(w, "in_pixels", m->figure[CASE_HD95][c].other_unit);
    json_close(w);
}

static void record_value(json_writer *w, double v)
{
    if (isinf(v)) json_text(w, NULL, "inf");
    else json_number(w, NULL, v);
}

static void record_case(json_writer *w, const case_table *f, int64_t i)
{
    json_object(w, NULL);
    json_text(w, "case", f->name[i]);
    json_text(w, "unit", f->millimetres[i] ? "mm" : "px");
    for (int k = 0; k < CASE_KINDS; k++) {
        json_list(w, case_figure_name[k]);
        for (int64_t c = 0; c < f->classes; c++) record_value(w, f->value[k][i * f->classes + c]);
        json_close(w);
    }
    json_close(w);
}

void record_means(json_writer *w, const char *name, peft_context *ctx, const case_table *f)
{
    if (!f->cases) {
        json_null(w, name);
        return;
    }
    mean_figures m = estimate_means(ctx, f);
    json_object(w, name);
    json_integer(w, "masks", f->cases);
    json_text(w, "intervals", m.by_patient ? "by patient" : "by case");
    json_text(w, "unit", m.millimetres ? "mm" : "px");
    for (int k = 0; k < CASE_KINDS; k++) {
        char interval[40];
        snprintf(interval, sizeof interval, "%s_interval", case_figure_name[k]);
        json_number(w, case_figure_name[k], m.figure[k][f->classes].e.value);
        record_estimate(w, interval, &m.figure[k][f->classes].e);
    }
    json_list(w, "classes");
    for (int64_t c = 0; c < f->classes; c++) record_class(w, &m, c);
    json_close(w);
    json_list(w, "cases");
    for (int64_t i = 0; i < f->cases; i++) record_case(w, f, i);
    json_close(w);
    json_close(w);
    free_means(&m);
}
