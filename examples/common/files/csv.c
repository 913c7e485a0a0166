/* SPDX-License-Identifier: Apache-2.0
 * csv.c -- see csv.h. */
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

int take_csv_row(char **text, char **field, int most)
{
    int count = 0;
    for (char *in = *text; ; ) {
        if (count == most) return -1;
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
