/* SPDX-License-Identifier: Apache-2.0
 * json_write.c -- writes JSON (json_write.h). */
#include "json_write.h"
#include "common/program/errors.h"
#include <math.h>

json_writer json_to(FILE *f) { return (json_writer){ .f = f }; }

/* Texts are UTF-8; bytes of other encodings in names of files are written as they are. */
static void put_text(FILE *f, const char *text)
{
    putc('"', f);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') fprintf(f, "\\%c", c);
        else if (c < 0x20) fprintf(f, "\\u%04x", c);
        else putc(c, f);
    }
    putc('"', f);
}

/* What stands before a member's value. */
static void begin(json_writer *w, const char *name)
{
    if (w->depth) {
        if (w->any[w->depth]) putc(',', w->f);
        fprintf(w->f, "\n%*s", 2 * w->depth, "");
        w->any[w->depth] = true;
    }
    if (!name) return;
    put_text(w->f, name);
    fputs(": ", w->f);
}

static void open_part(json_writer *w, const char *name, bool list)
{
    if (w->depth + 1 == JSON_DEPTH) fail("JSON: too many levels");
    begin(w, name);
    putc(list ? '[' : '{', w->f);
    w->depth++;
    w->any[w->depth] = false;
    w->list[w->depth] = list;
}

void json_object(json_writer *w, const char *name) { open_part(w, name, false); }
void json_list(json_writer *w, const char *name) { open_part(w, name, true); }

void json_close(json_writer *w)
{
    const bool any = w->any[w->depth], list = w->list[w->depth];
    w->depth--;
    if (any) fprintf(w->f, "\n%*s", 2 * w->depth, "");
    putc(list ? ']' : '}', w->f);
    if (!w->depth) putc('\n', w->f);
}

void json_null(json_writer *w, const char *name)
{
    begin(w, name);
    fputs("null", w->f);
}

void json_text(json_writer *w, const char *name, const char *value)
{
    if (!value) {
        json_null(w, name);
        return;
    }
    begin(w, name);
    put_text(w->f, value);
}

void json_integer(json_writer *w, const char *name, int64_t value)
{
    begin(w, name);
    fprintf(w->f, "%lld", (long long)value);
}

void json_number(json_writer *w, const char *name, double value)
{
    if (!isfinite(value)) {
        json_null(w, name);
        return;
    }
    begin(w, name);
    fprintf(w->f, "%.9g", value);
}
