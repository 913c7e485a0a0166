/* SPDX-License-Identifier: Apache-2.0
 * report_results.c -- writes the table of the methods' results, and the chart below it. On screens too narrow for the
 * columns, the style sheet turns each row into a list of names (data-of) and values. */
#include "common/figures/chart.h"
#include "common/figures/statistics.h"
#include "common/figures/svg.h"
#include "common/program/errors.h"
#include "report_parts.h"
#include <math.h>
#include <stdlib.h>

static const double mib = 1024.0 * 1024.0;

/* How a column is printed: mean and standard deviation, 95 % interval of the mean, mean, mean as "1,234,567". */
typedef enum form { with_deviation, interval, mean_only, whole_mean } form;
static const struct { const char *name; int column; form form; double factor; int decimals; } columns[] = {
    { "Balanced accuracy, %", result_balanced_accuracy, with_deviation, 100, 1 },
    { "95 % interval", result_balanced_accuracy, interval, 100, 1 },
    { "Macro AUROC, %", result_auroc_macro, with_deviation, 100, 1 },
    { "95 % interval", result_auroc_macro, interval, 100, 1 },
    { "Trained parameters", result_trainable_parameters, whole_mean, 1, 0 },
    { "Seconds per run", result_seconds, mean_only, 1, 1 },
    { "Milliseconds per step", result_seconds_per_step, mean_only, 1000, 1 },
    { "Peak memory, MiB", result_peak_bytes, mean_only, 1 / mib, 1 } };
enum { column_count = sizeof columns / sizeof *columns, balanced_columns = 2 };   /* the first two: balanced accuracy */

static statistics statistics_of_column(const study *s, const method *m, int c)
{
    double *v = column_values(s, m, c);
    statistics result = statistics_of(v, s->runs);
    free(v);
    return result;
}

/* Writes 1234567 as "1,234,567". */
static void put_with_commas(FILE *f, int64_t n)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%lld", (long long)n);
    for (int i = 0; i < length; i++) fprintf(f, "%s%c", i && (length - i) % 3 == 0 ? "," : "", text[i]);
}

/* Writes the statistics of column c in its form; an en dash ("\342\200\223") where there are none. */
static void put_value(FILE *f, const statistics *v, int c)
{
    double k = columns[c].factor, mean = k * v->mean, error = k * confidence_half_width(*v);
    int d = columns[c].decimals;
    const bool equal = v->n > 1 && v->sd < 1e-9;              /* runs that are all the same have no interval */
    if (!v->n || (columns[c].form == interval && (v->n < 2 || equal))) fputs("\342\200\223", f);
    else if (columns[c].form == interval)
        fprintf(f, "%.*f to %.*f", d, fmax(0, mean - error), d, fmin(100, mean + error));
    else if (columns[c].form == whole_mean) put_with_commas(f, llround(mean));
    else fprintf(f, "%.*f", d, mean);
    if (columns[c].form == with_deviation && v->n > 1) fprintf(f, " \302\261 %.*f", d, k * v->sd);
}

static void put_row(FILE *f, const study *s, const method *m)
{
    fputs("<tr><th scope=\"row\">", f);
    put_escaped(f, m->label);
    fprintf(f, "</th><td data-of=\"Runs\"><span>%lld", (long long)m->done);
    if (m->done < s->runs) fprintf(f, " of %lld", (long long)s->runs);
    fputs("</span></td>", f);
    for (int c = 0; c < column_count; c++) {
        statistics v = statistics_of_column(s, m, columns[c].column);
        fprintf(f, "<td data-of=\"%s\"%s><span>", columns[c].name,
                c < balanced_columns && m == best_method(s) ? " class=\"best\"" : "");
        put_value(f, &v, c);
        fputs("</span></td>", f);
    }
    fputs("</tr>\n", f);
}

/* Writes a panel for each of four quantities, with a row for each method. */
static void put_chart(FILE *f, const study *s)
{
    static const struct { const char *title; int column; double factor; bool bars; } shown[] = {
        { "Balanced accuracy (%)", result_balanced_accuracy, 100, false },
        { "Macro AUROC (%)", result_auroc_macro, 100, false },
        { "Training step, one thread (ms)", result_seconds_per_step, 1000, true },
        { "Memory peak of training (MiB)", result_peak_bytes, 1 / mib, true } };
    const char **labels = check_alloc(calloc((size_t)s->methods, sizeof *labels));
    double *points = check_alloc(malloc((size_t)(s->methods * s->runs) * sizeof *points));
    for (int64_t m = 0; m < s->methods; m++) labels[m] = s->method[m].label;
    fputs("<div class=\"grid wide\">\n", f);
    for (size_t p = 0; p < sizeof shown / sizeof *shown; p++) {
        for (int64_t m = 0; m < s->methods; m++) {
            double *v = column_values(s, &s->method[m], shown[p].column);
            for (int64_t i = 0; i < s->runs; i++) points[m * s->runs + i] = shown[p].factor * v[i];
            free(v);
        }
        fputs("<figure>\n", f);
        const chart_panel panel = { .title = shown[p].title, .points = points, .decimals = 1, .bars = shown[p].bars };
        put_chart_panel(f, &panel, labels, s->methods, s->runs);
        fputs("</figure>\n", f);
    }
    fputs("</div>\n", f);
    free(labels);
    free(points);
}

void put_results(FILE *f, const study *s)
{
    fputs("<h3>Results</h3>\n<div class=\"scroll\"><table class=\"results\">\n<thead><tr><th scope=\"col\">Method</th>"
          "<th scope=\"col\">Runs</th>", f);
    for (int c = 0; c < column_count; c++) fprintf(f, "<th scope=\"col\">%s</th>", columns[c].name);
    fputs("</tr></thead>\n<tbody>\n", f);
    for (int64_t m = 0; m < s->methods; m++) put_row(f, s, &s->method[m]);
    fputs("</tbody></table></div>\n"
          "<p class=\"small\">Mean over runs \302\261 standard deviation of a run. The 95 % interval is the confidence "
          "interval of the mean, by Student\342\200\231s t over the runs, limited to 0 and 100 %. It shows how the "
          "mean would vary with other draws and seeds from these data; since runs share images, it does not describe "
          "how the method would perform on other patients. There is none where all runs have the same result; with "
          "fewer than three runs it says little. Memory is the peak of the process until the end of "
          "training. In the charts, faint dots are single runs and lines the standard deviation.</p>\n", f);
    put_chart(f, s);
}
