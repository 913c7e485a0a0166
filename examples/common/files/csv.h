/* SPDX-License-Identifier: Apache-2.0
 * csv.h -- fields of CSV files. A field that holds a comma, a quote or a line end is written in quotes. */
#ifndef CSV_H
#define CSV_H
#include <stdio.h>

void put_csv_field(FILE *f, const char *text);
/* Splits the row at *text in place: field[i] points to the i-th unquoted field, and *text moves to the next row.
 * Returns the number of fields, or -1 when there are more than max_fields. */
int read_csv_row(char **text, char **field, int max_fields);
#endif
