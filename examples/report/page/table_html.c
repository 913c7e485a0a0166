/* SPDX-License-Identifier: Apache-2.0
 * table_html.c -- writes a table of numbers as HTML: with a caption, headings of columns and rows, and each number as a
 * <data> element, whose value has a decimal point and eight digits. */
#include "common/figures/svg.h"
#include "table.h"
#include <math.h>
#include <stdbool.h>

/* Writes n with narrow no-break spaces between groups of three digits. */
static void put_grouped(FILE *f, double n)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%.0f", n);
    for (int i = 0; i < length; i++)
        fprintf(f, "%s%c", i && (length - i) % 3 == 0 && text[i - 1] != '-' ? "\342\200\257" : "", text[i]);
}

void put_data(FILE *f, double v, int decimals)
{
    fprintf(f, "<data value=\"%.8g\">", v);
    const double unit = pow(10, decimals == WHOLE ? 0 : decimals), shown = round(v * unit) / unit + 0.0;   /* no -0.0 */
    if (decimals == WHOLE) put_grouped(f, shown);
    else fprintf(f, "%.*f", decimals, fabs(v) < 1e15 / unit ? shown : v);
    fputs("</data>", f);
}

static void put_cell(FILE *f, const table_column *c, const table_cell *cell, bool bold)
{
    fputs(bold ? "<td class=\"best\">" : cell->text ? "<td class=\"text\">" : "<td>", f);
    if (cell->text) put_escaped(f, cell->text);
    else if (isnan(cell->v[0])) fputs("\342\200\223", f);     /* an en dash */
    else put_data(f, cell->v[0], c->decimals);
    if (!cell->text && !isnan(cell->v[0]) && !isnan(cell->v[1])) {
        fputs(c->joiner, f);
        put_data(f, cell->v[1], c->decimals);
    }
    fputs("</td>", f);
}

void put_html_table(FILE *f, const table *t)
{
    fputs("<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"", f);
    put_escaped(f, t->title);
    fputs("\"><table class=\"numbers\">\n<caption>", f);
    put_escaped(f, t->title);
    fputs("</caption>\n<thead><tr><th scope=\"col\">", f);
    put_escaped(f, t->row_heading);
    fputs("</th>", f);
    for (int64_t c = 0; c < t->columns; c++) {
        fputs("<th scope=\"col\">", f);
        put_escaped(f, t->column[c].heading);
        fputs("</th>", f);
    }
    fputs("</tr></thead>\n<tbody>\n", f);
    for (int64_t r = 0; r < t->rows; r++) {
        fputs("<tr><th scope=\"row\">", f);
        put_escaped(f, t->row[r].label);
        fputs("</th>", f);
        for (int64_t c = 0; c < t->row[r].cells; c++)
            put_cell(f, &t->column[c], &t->row[r].cell[c], r == t->bold_row && c < t->bold_columns);
        fputs("</tr>\n", f);
    }
    fputs("</tbody></table></div>\n", f);
}
