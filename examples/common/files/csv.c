/* SPDX-License-Identifier: Apache-2.0
 * csv.c -- reads and writes fields of CSV files (csv.h). */
#include "csv.h"
#include <stdbool.h>
#include <string.h>

void put_csv_field(FILE *f, const char *text)
{
    if (!strpbrk(text, ",\"\n")) {
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

int read_csv_row(char **text, char **field, int max_fields)
{
    int count = 0;
    for (char *in = *text; ; ) {
        if (count == max_fields) return -1;
        char *out = field[count++] = in;
        bool quoted = *in == '"';
        for (in += quoted; *in && (quoted || (*in != ',' && *in != '\n')); in++) {
            if (quoted && *in == '"' && *++in != '"') break;
            *out++ = *in;
        }
        char end = *in;
        *out = 0;
        if (end) in++;
        *text = in;
        if (end != ',') return count;
    }
}
