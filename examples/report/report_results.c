/* SPDX-License-Identifier: Apache-2.0
 * report_results.c -- writes the table of the methods' results, and charts of four of its columns. */
#include "common/figures/statistics.h"
#include "common/program/errors.h"
#include "predictions/pairs.h"
#include "report_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double mib = 1024.0 * 1024.0;

/* How a column is printed: mean and standard deviation over runs; 95 % interval of this mean; 95 % bootstrap interval
 * over patients or images; mean. */
typedef enum form { with_deviation, interval, of_images, mean_only } form;
static const struct { int column; form form; double factor; table_column head; } columns[] = {
    { result_dice, with_deviation, 100,
      { "Dice, %", 1, " \302\261 ", "Dice, %", "Dice, %: standard deviation" } },
    { result_dice, interval, 100,
      { "95 % interval, runs", 1, " to ", "Dice, %: 95 % interval over runs from", "Dice, %: to" } },
    { result_dice, of_images, 100,
      { "95 % interval", 1, " to ", "Dice, %: 95 % interval over cases or patients from", "Dice, %: to" } },
    { result_iou, with_deviation, 100, { "IoU, %", 1, " \302\261 ", "IoU, %", "IoU, %: standard deviation" } },
    { result_hd95, with_deviation, 1, { "HD95", 1, " \302\261 ", "HD95", "HD95: standard deviation" } },
    { result_surface_distance, with_deviation, 1,
      { "Surface distance", 1, " \302\261 ", "Surface distance", "Surface distance: standard deviation" } },
    { result_balanced_accuracy, with_deviation, 100,
      { "Balanced accuracy, %", 1, " \302\261 ", "Balanced accuracy, %", "Balanced accuracy, %: standard deviation" } },
    { result_balanced_accuracy, interval, 100,
      { "95 % interval", 1, " to ", "Balanced accuracy, %: 95 % interval from", "Balanced accuracy, %: to" } },
    { result_auroc_macro, with_deviation, 100,
      { "Macro AUROC, %", 1, " \302\261 ", "Macro AUROC, %", "Macro AUROC, %: standard deviation" } },
    { result_auroc_macro, interval, 100,
      { "95 % interval", 1, " to ", "Macro AUROC, %: 95 % interval from", "Macro AUROC, %: to" } },
    { result_trainable_parameters, mean_only, 1, { "Trained parameters", WHOLE, NULL, NULL, NULL } },
    { result_seconds, mean_only, 1, { "Seconds per run", 1, NULL, NULL, NULL } },
    { result_seconds_per_step, mean_only, 1000, { "Milliseconds per step", 1, NULL, NULL, NULL } },
    { result_peak_bytes, mean_only, 1 / mib, { "Peak memory, MiB", 1, NULL, NULL, NULL } } };
enum { column_count = sizeof columns / sizeof *columns };
/* Columns in bold for the best method: the number of runs, the mean by which methods are compared, and its interval. */
enum { bold_columns = 3 };

/* What stands behind the heading of column c: what an interval is over, the unit of a distance; NULL: nothing. */
static const char *heading_end(const study *s, int c)
{
    if (columns[c].form == of_images) return drawn_units(s);
    const bool distance = columns[c].column == result_hd95 || columns[c].column == result_surface_distance;
    return distance ? unit_of_distances(s) : NULL;
}

static void add_heading(table *t, const study *s, int c)
{
    char text[64];
    table_column head = columns[c].head;
    if (heading_end(s, c)) {
        snprintf(text, sizeof text, "%s, %s", head.heading, heading_end(s, c));
        head.heading = text;
    }
    add_column(t, head);
}

static statistics statistics_of_column(const study *s, const method *m, int c)
{
    double *v = column_values(s, m, c);
    statistics result = statistics_of(v, s->runs);
    free(v);
    return result;
}

/* Adds the statistics of column c in its form; a dash where there are none. */
static void add_result(table *t, const statistics *v, int c)
{
    const double k = columns[c].factor, mean = k * v->mean, error = k * confidence_half_width(*v);
    const bool equal = v->n > 1 && v->sd < 1e-9;              /* runs that are all the same have no interval */
    if (columns[c].form == with_deviation) add_numbers(t, mean, k * v->sd);
    else if (columns[c].form == mean_only) add_number(t, mean);
    else if (v->n < 2 || equal) add_number(t, NAN);
    else add_numbers(t, fmax(0, mean - error), fmin(100, mean + error));
}

/* The bootstrap interval over the patients, or images, of all runs. */
static void add_interval_of_images(table *t, peft_context *ctx, const study *s, const method *m)
{
    const bool differs = false;
    pairs all = find_pairs(s, m, m, study_has_patients(s));
    const peft_samples samples = samples_of_pairs(s, &all, differs);
    peft_estimate e = { .low = NAN, .high = NAN };
    if (all.n) must(peft_statistics_bootstrap(ctx, &samples, ranking(s)->metric, NULL, &e, 1));
    add_numbers(t, isnan(e.high) ? NAN : 100 * e.low, 100 * e.high);
    free_pairs(&all);
}

static void put_result_table(page *p, const study *s)
{
    peft_context *ctx;
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    table *t = new_table("Mean results of each method", "Method");
    add_column(t, (table_column){ .heading = "Runs", .joiner = " of ", .second = "Runs planned, if more" });
    for (int c = 0; c < column_count; c++)
        if (has_result(s, columns[c].column)) add_heading(t, s, c);
    for (int64_t m = 0; m < s->methods; m++) {
        const method *row = &s->method[m];
        add_row(t, row->label);
        add_numbers(t, (double)row->done, row->done < s->runs ? (double)s->runs : NAN);
        for (int c = 0; c < column_count; c++) {
            const statistics v = statistics_of_column(s, row, columns[c].column);
            if (!has_result(s, columns[c].column)) continue;
            if (columns[c].form == of_images) add_interval_of_images(t, ctx, s, row);
            else add_result(t, &v, c);
        }
        if (row == best_method(s)) t->bold_row = m;
    }
    t->bold_columns = bold_columns;
    put_table(p, t);
    peft_context_free(ctx);
}

/* Writes a panel for each of four quantities, with a row for each method. */
static void put_charts(page *p, const study *s)
{
    char distance[48];
    snprintf(distance, sizeof distance, "HD95 (%s)", unit_of_distances(s));
    const struct { const char *title; int column; double factor; bool bars; } shown[] = {
        { "Balanced accuracy (%)", result_balanced_accuracy, 100, false },
        { "Macro AUROC (%)", result_auroc_macro, 100, false },
        { "Mean Dice (%)", result_dice, 100, false },
        { distance, result_hd95, 1, false },
        { "Training step, one thread (ms)", result_seconds_per_step, 1000, true },
        { "Memory peak of training (MiB)", result_peak_bytes, 1 / mib, true } };
    const char **labels = check_alloc(calloc((size_t)s->methods, sizeof *labels));
    double *points = check_alloc(malloc((size_t)(s->methods * s->runs) * sizeof *points));
    for (int64_t m = 0; m < s->methods; m++) labels[m] = s->method[m].label;
    fputs("<div class=\"grid wide\">\n", p->f);
    for (size_t k = 0; k < sizeof shown / sizeof *shown; k++) {
        if (!has_result(s, shown[k].column)) continue;
        for (int64_t m = 0; m < s->methods; m++) {
            double *v = column_values(s, &s->method[m], shown[k].column);
            for (int64_t i = 0; i < s->runs; i++) points[m * s->runs + i] = shown[k].factor * v[i];
            free(v);
        }
        const chart_panel panel = { .title = shown[k].title, .points = points, .decimals = 1, .bars = shown[k].bars };
        put_chart_figure(p, s, &panel, "Method", labels, s->methods);
    }
    fputs("</div>\n", p->f);
    free(labels);
    free(points);
}

/* What the figures of masks are. */
static void put_mask_note(FILE *f, const study *s)
{
    fprintf(f, "<p class=\"small\">Dice, IoU and distances are means over the classes but the first, the background, "
            "of the means over the held-out cases, which are images, or volumes of slices. A case without the class in "
            "both masks does not count. Distances are means where both masks have the class: a method that misses it "
            "in a case has no distance there, and Dice 0. The 95 %% interval of %s is a bootstrap of %s over the cases "
            "of all runs (2,000 resamples).%s</p>\n", drawn_units(s), drawn_units(s), study_has_patients(s) ?
            " All cases of a patient are drawn together." :
            " The records do not know patients: intervals are too narrow where one has several cases.");
}

void put_results(page *p, const study *s)
{
    put_result_table(p, s);
    fprintf(p->f, "<p class=\"small\">Mean over runs \302\261 standard deviation of a run; bold: the method with the "
            "highest mean %s, ", ranking(s)->name);
    put_escaped(p->f, best_method(s)->label);
    fprintf(p->f, ". The 95 %% %s is the confidence "
            "interval of the mean, by Student\342\200\231s t over the runs, limited to 0 and 100 %%. It shows how the "
            "mean would vary with other draws and seeds from these data; since runs share images, it does not describe "
            "how the method would perform on other patients. There is none where all runs have the same result; with "
            "fewer than three runs it says little. Memory is the peak of the process until the end of "
            "training. In the charts, faint dots are single runs and lines the standard deviation.</p>\n",
            s->masks ? "interval of runs" : "interval");
    if (s->masks) put_mask_note(p->f, s);
    put_charts(p, s);
}
