/* SPDX-License-Identifier: Apache-2.0
 * lines.c -- the lines that predict prints (predict.h). */
#include "predict.h"
#include "common/files/csv.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>

/* Writes and flushes a whole line, so that a stopped program leaves no partial line. Frees text. */
static void put_line(char *text, size_t size)
{
    fwrite(text, 1, size, stdout);
    if (fflush(stdout)) fail("standard output cannot be written; what was printed is not complete");
    free(text);
}

void print_heading(const loaded_model *s, const char *first)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    fprintf(f, "%s%s", first, s->multilabel ? "" : ",predicted");
    for (int64_t c = 0; c < s->classes; c++) {
        fputc(',', f);
        put_csv_field(f, s->names[c]);
    }
    fputc('\n', f);
    if (fclose(f)) fail("out of memory");
    put_line(text, size);
}

void print_line(const loaded_model *s, const char *path, const float *p, bool csv)
{
    char *text;
    size_t size;
    int64_t best = 0;
    FILE *f = check_alloc(open_memstream(&text, &size));
    for (int64_t c = 1; c < s->classes; c++)
        if (p[c] > p[best]) best = c;
    if (csv) {
        put_csv_field(f, path);
        if (!s->multilabel) {
            fputc(',', f);
            put_csv_field(f, s->names[best]);
        }
        for (int64_t c = 0; c < s->classes; c++) fprintf(f, ",%.9g", p[c]);
    } else {
        fprintf(f, "%s  ", path);
        if (!s->multilabel) fprintf(f, "%s ", s->names[best]);
        for (int64_t c = 0; c < s->classes; c++) fprintf(f, " %s=%.9g", s->names[c], p[c]);
    }
    fputc('\n', f);
    if (fclose(f)) fail("out of memory");
    put_line(text, size);
}
