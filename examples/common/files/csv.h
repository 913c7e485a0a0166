/* SPDX-License-Identifier: Apache-2.0
 * csv.h -- fields of CSV files. A field that holds a comma, a quote or a line end is written in quotes. */
#ifndef CSV_H
#define CSV_H
#include <stdint.h>
#include <stdio.h>

void put_csv_field(FILE *f, const char *text);
/* Another form: separator of columns and decimal sign. */
typedef struct csv_style { char separator, decimal; } csv_style;
extern const csv_style csv_commas, csv_semicolons;            /* "a,0.5"; "a;0,5", as a German Excel reads it */
/* In the form with semicolons, which is for spreadsheets, a text that begins with = + - @, a tab or a carriage return
 * has an apostrophe before it: a spreadsheet would compute it as a formula. */
void put_csv_text(FILE *f, const csv_style *style, const char *text);
void put_csv_number(FILE *f, const csv_style *style, double value);            /* nine digits, enough for any float */
/* The first name of a that b has too; NULL: none. To find columns that would have the same name. */
const char *name_in_both(const char *const *a, int64_t a_count, const char *const *b, int64_t b_count);
/* Splits the row at *text in place: field[i] points to the i-th unquoted field, and *text moves to the next row.
 * Returns the number of fields, or -1 when there are more than max_fields. */
int read_csv_row(char **text, char **field, int max_fields);
#endif
