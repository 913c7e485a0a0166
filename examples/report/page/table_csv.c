/* SPDX-License-Identifier: Apache-2.0
 * table_csv.c -- writes a table of numbers as the text of a CSV file (table.h). Lines end with CR and LF (RFC 4180). */
#include "common/files/csv.h"
#include "common/program/errors.h"
#include "table.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Fields have commas between them, or semicolons where the decimal sign is a comma. */
static const csv_style *style_of(enum csv_form form) { return form == DECIMAL_COMMA ? &csv_semicolons : &csv_commas; }

/* Nothing for NaN. */
static void put_number(FILE *f, double v, const csv_style *style)
{
    char text[32] = "", *point;
    if (!isnan(v)) snprintf(text, sizeof text, "%.8g", v + 0.0);
    if ((point = strchr(text, '.'))) *point = style->decimal;
    fputs(text, f);
}

static void put_headings(FILE *f, const table *t, const csv_style *style)
{
    put_csv_text(f, style, t->row_heading);
    for (int64_t i = 0; i < t->columns; i++) {
        const table_column *c = &t->column[i];
        fputc(style->separator, f);
        put_csv_text(f, style, c->first ? c->first : c->heading);
        if (!c->joiner) continue;
        fputc(style->separator, f);
        put_csv_text(f, style, c->second);
    }
    fputs("\r\n", f);
}

char *csv_text(const table *t, enum csv_form form, size_t *size)
{
    const csv_style *style = style_of(form);
    char *text;
    FILE *f = check_alloc(open_memstream(&text, size));
    if (form == DECIMAL_COMMA) fputs("\357\273\277", f);          /* the byte order mark */
    put_headings(f, t, style);
    for (int64_t r = 0; r < t->rows; r++) {
        put_csv_text(f, style, t->row[r].label);
        for (int64_t i = 0; i < t->row[r].cells; i++) {
            const table_cell *cell = &t->row[r].cell[i];
            fputc(style->separator, f);
            if (cell->text) put_csv_text(f, style, cell->text);
            else put_number(f, cell->v[0], style);
            if (!t->column[i].joiner) continue;
            fputc(style->separator, f);
            put_number(f, cell->v[1], style);
        }
        fputs("\r\n", f);
    }
    if (fclose(f)) fail("out of memory");
    return text;
}
