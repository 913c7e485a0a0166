/* SPDX-License-Identifier: Apache-2.0
 * table.h -- a table of numbers, which is written as HTML (table_html.c) and as CSV (table_csv.c). A row has a label
 * and one cell for each column; a cell holds one number, two joined ("80.9 +- 1.8"), a text, or nothing (a dash). */
#ifndef TABLE_H
#define TABLE_H
#include <stdint.h>
#include <stdio.h>

/* joiner: what stands between two numbers; NULL: one number. first, second: headings of the numbers in CSV files; NULL:
 * the heading. decimals: of the page, WHOLE for "1 234 567"; CSV files have eight digits. */
enum { WHOLE = -1 };
typedef struct table_column { const char *heading; int decimals; const char *joiner, *first, *second; } table_column;
typedef struct table_cell { double v[2]; char *text; } table_cell;     /* NaN: none; text NULL: numbers */
typedef struct table_row { char *label; table_cell *cell; int64_t cells; } table_row;
typedef struct table {
    char *title, *row_heading;                                /* of the table; above the labels */
    table_column *column;                                     /* [columns] */
    table_row *row;                                           /* [rows] */
    int64_t columns, rows;
    int64_t bold_row, bold_columns;                           /* the first cells of this row are bold; -1: none */
} table;

/* All texts are copied. Columns come first, then rows, each followed by its cells. */
table *new_table(const char *title, const char *row_heading);
void   add_column(table *t, table_column column);
void   add_number_column(table *t, const char *heading, int decimals);
void   add_row(table *t, const char *label);
void   add_number(table *t, double v);                        /* NaN: a dash */
void   add_numbers(table *t, double first, double second);    /* second NaN: only the first */
void   add_text(table *t, const char *text);
void   free_table(table *t);                                  /* NULL is allowed */

/* table_html.c: the table, which scrolls in itself where it is too wide; a number with its exact value. */
void put_html_table(FILE *f, const table *t);
void put_data(FILE *f, double v, int decimals);
/* table_csv.c: the table as a CSV file in UTF-8, to be freed. DECIMAL_COMMA: with decimal commas, semicolons between
 * fields, and a byte order mark, as Excel expects it where the decimal separator is a comma. */
enum csv_form { DECIMAL_POINT, DECIMAL_COMMA };
char *csv_text(const table *t, enum csv_form form, size_t *size);
#endif
