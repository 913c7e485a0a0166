/* SPDX-License-Identifier: Apache-2.0
 * report_confusion.c -- writes one confusion matrix for each method, summed over its runs. The larger its share of the
 * row, the stronger the colour of a cell. With more than max_named classes, columns are headed by numbers, rows by
 * number and name. */
#include "common/program/errors.h"
#include "report/report_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { max_named = 5, longest_name = 40 };                    /* characters of a class in a matrix */

static void put_column_head(FILE *f, const study *s, int64_t c)
{
    if (s->classes > max_named) fprintf(f, "%lld ", (long long)c + 1);
    else put_shortened(f, s->class_name[c], longest_name);
}

static void put_row_head(FILE *f, const study *s, int64_t c)
{
    if (s->classes > max_named) fprintf(f, "%lld ", (long long)c + 1);
    put_shortened(f, s->class_name[c], longest_name);
}

/* Writes a cell: a count, and its share of the row's count. The style sheet has eleven steps of colour. */
static void put_cell(FILE *f, int64_t count, int64_t row)
{
    const double share = row ? (double)count / (double)row : 0;
    fprintf(f, "<td class=\"c%d\">%lld<small>%.0f %%</small></td>", (int)lround(10 * share), (long long)count,
            100 * share);
}

/* Returns the counts [true class, predicted class] over all runs, to be freed. */
static int64_t *count_decisions(const study *s, const method *m)
{
    int64_t *counts = check_alloc(calloc((size_t)(s->classes * s->classes), sizeof *counts));
    for (int64_t i = 0; i < s->runs; i++)
        for (int64_t k = 0; k < m->run[i].images; k++)
            counts[m->run[i].label[k] * s->classes + predicted_class(s, &m->run[i], k)]++;
    return counts;
}

static void put_matrix(FILE *f, const study *s, const int64_t *counts, const char *title)
{
    fputs("<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"", f);
    put_escaped(f, title);
    fputs("\"><table><caption class=\"hidden\">", f);
    put_escaped(f, title);
    fprintf(f, "</caption>\n<thead><tr><td></td><th scope=\"colgroup\" colspan=\"%lld\">predicted</th></tr>\n"
            "<tr><th class=\"axis\" scope=\"col\">true</th>", (long long)s->classes);
    for (int64_t c = 0; c < s->classes; c++) {
        fputs("<th scope=\"col\">", f);
        put_column_head(f, s, c);
        fputs("</th>", f);
    }
    fputs("</tr></thead>\n<tbody>", f);
    for (int64_t r = 0; r < s->classes; r++) {
        int64_t row = 0;
        for (int64_t c = 0; c < s->classes; c++) row += counts[r * s->classes + c];
        fputs("<tr><th scope=\"row\">", f);
        put_row_head(f, s, r);
        fputs("</th>", f);
        for (int64_t c = 0; c < s->classes; c++) put_cell(f, counts[r * s->classes + c], row);
        fputs("</tr>\n", f);
    }
    fputs("</tbody></table></div>\n", f);
}

/* The counts for the CSV files. */
static table *matrix_values(const study *s, const int64_t *counts, const char *title)
{
    table *t = new_table(title, "True class");
    for (int64_t c = 0; c < s->classes; c++) add_number_column(t, s->class_name[c], WHOLE);
    for (int64_t r = 0; r < s->classes; r++) {
        add_row(t, s->class_name[r]);
        for (int64_t c = 0; c < s->classes; c++) add_number(t, (double)counts[r * s->classes + c]);
    }
    return t;
}

void put_confusion(page *p, const study *s)
{
    const char *style = s->classes > max_named ? " many" : "";     /* CSS class */
    fprintf(p->f, "<p class=\"small\">Predictions for held-out %s, summed over all runs "
            "of a method; under each count, its share of the row.</p>\n<div class=\"grid%s\">\n", study_unit(s), style);
    for (int64_t m = 0; m < s->methods; m++) {
        if (!s->method[m].done) continue;
        int64_t *counts = count_decisions(s, &s->method[m]);
        char title[192];
        snprintf(title, sizeof title, "Confusion matrix of %.160s", s->method[m].label);
        open_figure(p, s->classes > max_named ? "matrix many" : "matrix");
        put_caption(p, s->method[m].label, NULL);
        put_matrix(p->f, s, counts, title);
        table *values = matrix_values(s, counts, title);
        put_csv_links(p, values);
        free_table(values);
        fputs("</figure>\n", p->f);
        free(counts);
    }
    fputs("</div>\n", p->f);
}
