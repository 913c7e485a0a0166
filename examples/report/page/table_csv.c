/* SPDX-License-Identifier: Apache-2.0
 * table_csv.c -- writes a table of numbers as the text of a CSV file (table.h). Lines end with CR and LF (RFC 4180). */
#include "common/program/errors.h"
#include "table.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A field in quotes where it holds a separator, a quote or a line end. */
static void put_field(FILE *f, const char *text, enum csv_form form)
{
    if (!strpbrk(text, form == CSV_COMMA ? ";\"\r\n" : ",\"\r\n")) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"') fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

static void put_separator(FILE *f, enum csv_form form) { fputc(form == CSV_COMMA ? ';' : ',', f); }

/* Nothing for NaN. */
static void put_number(FILE *f, double v, enum csv_form form)
{
    char text[32] = "", *point;
    if (!isnan(v)) snprintf(text, sizeof text, "%.8g", v + 0.0);
    if (form == CSV_COMMA && (point = strchr(text, '.'))) *point = ',';
    fputs(text, f);
}

static void put_headings(FILE *f, const table *t, enum csv_form form)
{
    put_field(f, t->row_heading, form);
    for (int64_t i = 0; i < t->columns; i++) {
        const table_column *c = &t->column[i];
        put_separator(f, form);
        put_field(f, c->first ? c->first : c->heading, form);
        if (!c->joiner) continue;
        put_separator(f, form);
        put_field(f, c->second, form);
    }
    fputs("\r\n", f);
}

char *csv_text(const table *t, enum csv_form form, size_t *size)
{
    char *text;
    FILE *f = check_alloc(open_memstream(&text, size));
    if (form == CSV_COMMA) fputs("\357\273\277", f);          /* the byte order mark */
    put_headings(f, t, form);
    for (int64_t r = 0; r < t->rows; r++) {
        put_field(f, t->row[r].label, form);
        for (int64_t i = 0; i < t->row[r].cells; i++) {
            const table_cell *cell = &t->row[r].cell[i];
            put_separator(f, form);
            if (cell->text) put_field(f, cell->text, form);
            else put_number(f, cell->v[0], form);
            if (!t->column[i].joiner) continue;
            put_separator(f, form);
            put_number(f, cell->v[1], form);
        }
        fputs("\r\n", f);
    }
    if (fclose(f)) fail("out of memory");
    return text;
}
