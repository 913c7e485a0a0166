/* SPDX-License-Identifier: Apache-2.0
 * matrix.c -- writes a confusion matrix (page.h). The larger its share of the row, the stronger the colour of a cell.
 * With more than max_named classes, columns are headed by numbers, rows by number and name. */
#include "common/figures/svg.h"
#include "page.h"
#include <math.h>

enum { max_named = 5, longest_name = 40 };                    /* characters of a class in a matrix */

static void put_column_head(FILE *f, const matrix *m, int64_t c)
{
    if (m->classes > max_named) fprintf(f, "%lld ", (long long)c + 1);
    else put_shortened(f, m->class_name[c], longest_name);
}

static void put_row_head(FILE *f, const matrix *m, int64_t c)
{
    if (m->classes > max_named) fprintf(f, "%lld ", (long long)c + 1);
    put_shortened(f, m->class_name[c], longest_name);
}

/* Writes a cell: a count, and its share of the row's count. The style sheet has eleven steps of colour. */
static void put_cell(FILE *f, int64_t count, int64_t row)
{
    const double share = row ? (double)count / (double)row : 0;
    fprintf(f, "<td class=\"c%d\">%lld<small>%.0f %%</small></td>", (int)lround(10 * share), (long long)count,
            100 * share);
}

static void put_counts(FILE *f, const matrix *m, const char *title)
{
    fputs("<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"", f);
    put_escaped(f, title);
    fputs("\"><table><caption class=\"hidden\">", f);
    put_escaped(f, title);
    fprintf(f, "</caption>\n<thead><tr><td></td><th scope=\"colgroup\" colspan=\"%lld\">predicted</th></tr>\n"
            "<tr><th class=\"axis\" scope=\"col\">true</th>", (long long)m->classes);
    for (int64_t c = 0; c < m->classes; c++) {
        fputs("<th scope=\"col\">", f);
        put_column_head(f, m, c);
        fputs("</th>", f);
    }
    fputs("</tr></thead>\n<tbody>", f);
    for (int64_t r = 0; r < m->classes; r++) {
        int64_t row = 0;
        for (int64_t c = 0; c < m->classes; c++) row += m->count[r * m->classes + c];
        fputs("<tr><th scope=\"row\">", f);
        put_row_head(f, m, r);
        fputs("</th>", f);
        for (int64_t c = 0; c < m->classes; c++) put_cell(f, m->count[r * m->classes + c], row);
        fputs("</tr>\n", f);
    }
    fputs("</tbody></table></div>\n", f);
}

/* The counts for the CSV files. */
static table *matrix_values(const matrix *m, const char *title)
{
    table *t = new_table(title, "True class");
    for (int64_t c = 0; c < m->classes; c++) add_number_column(t, m->class_name[c], WHOLE);
    for (int64_t r = 0; r < m->classes; r++) {
        add_row(t, m->class_name[r]);
        for (int64_t c = 0; c < m->classes; c++) add_number(t, (double)m->count[r * m->classes + c]);
    }
    return t;
}

bool has_numbered_classes(const matrix *m) { return m->classes > max_named; }

void put_matrix(page *p, const matrix *m, const char *caption, const char *title)
{
    open_figure(p, has_numbered_classes(m) ? "matrix many" : "matrix");
    put_caption(p, caption, NULL);
    put_counts(p->f, m, title);
    table *values = matrix_values(m, title);
    put_csv_links(p, values);
    free_table(values);
    fputs("</figure>\n", p->f);
}
