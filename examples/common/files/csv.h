/* SPDX-License-Identifier: Apache-2.0
 * csv.h -- comma-separated values: a field is quoted where it holds a comma, a quote or the end of a line. */
#ifndef CSV_H
#define CSV_H
#include <stdio.h>

void put_csv_field(FILE *f, const char *text);
/* The row at *text, its fields unquoted in place; *text goes behind its end. The number of fields, at most `most`;
 * -1: there are more. */
int take_csv_row(char **text, char **field, int most);
#endif
