/* SPDX-License-Identifier: Apache-2.0
 * csv.c -- reads and writes fields of CSV files (csv.h). */
#include "csv.h"
#include <stdbool.h>
#include <string.h>

const csv_style csv_commas = { ',', '.' }, csv_semicolons = { ';', ',' };

void put_csv_text(FILE *f, const csv_style *style, const char *text)
{
    const char special[] = { style->separator, '"', '\n', '\r', 0 };
    const bool for_spreadsheets = style->separator == csv_semicolons.separator;
    const bool formula = for_spreadsheets && *text && strchr("=+-@\t\r", *text);
    if (!strpbrk(text, special)) {
        fprintf(f, "%s%s", formula ? "'" : "", text);
        return;
    }
    fprintf(f, "\"%s", formula ? "'" : "");
    for (; *text; text++) {
        if (*text == '"') fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

void put_csv_field(FILE *f, const char *text) { put_csv_text(f, &csv_commas, text); }

void put_csv_number(FILE *f, const csv_style *style, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.9g", value);
    char *point = strchr(text, '.');
    if (point) *point = style->decimal;
    fputs(text, f);
}

const char *name_in_both(const char *const *a, int64_t a_count, const char *const *b, int64_t b_count)
{
    for (int64_t i = 0; i < a_count; i++)
        for (int64_t k = 0; k < b_count; k++)
            if (!strcmp(a[i], b[k])) return a[i];
    return NULL;
}

/* A line of a file that an editor of Windows has saved ends in "\r\n". */
static bool is_line_end(const char *text) { return *text == '\n' || (*text == '\r' && text[1] == '\n'); }

/* Reads at `in` and writes the fields without quotes over the same text at `out`, which never overtakes `in`. */
int read_csv_row(char **text, char **field, int max_fields)
{
    int count = 0;
    for (char *in = *text; ; ) {
        if (count == max_fields) return -1;
        char *out = field[count++] = in;
        const bool quoted = *in == '"';
        if (quoted) in++;
        for (; *in && (quoted || (*in != ',' && !is_line_end(in))); in++) {
            if (quoted && *in == '"' && *++in != '"') break;  /* "" in a quoted field is one quote, " alone its end */
            *out++ = *in;
        }
        if (*in == '\r' && is_line_end(in)) in++;
        const char end = *in;                                 /* comma, line end or 0 */
        *out = 0;
        if (end) in++;
        *text = in;
        if (end != ',') return count;
    }
}
