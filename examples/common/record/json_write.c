/* SPDX-License-Identifier: Apache-2.0
 * json_write.c -- writes JSON (json_write.h). */
#include "json_write.h"
#include "common/program/errors.h"
#include <math.h>
#include <string.h>

json_writer json_to(FILE *f) { return (json_writer){ .f = f }; }

/* The length of the UTF-8 sequence at s; 0: there is none. */
static int sequence_length(const unsigned char *s)
{
    const int n = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    const bool overlong = (*s == 0xe0 && s[1] < 0xa0) || (*s == 0xf0 && s[1] < 0x90);
    const bool no_character = (*s == 0xed && s[1] > 0x9f) || (*s == 0xf4 && s[1] > 0x8f);
    return overlong || no_character ? 0 : n;
}

void put_json_text(FILE *f, const char *text)
{
    fputc('"', f);
    for (const unsigned char *s = (const unsigned char *)text; *s; ) {
        const int n = sequence_length(s);
        if (!n) fprintf(f, "\\udc%02x", *s);
        else if (*s == '"' || *s == '\\') fprintf(f, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f) fprintf(f, "\\u%04x", *s);
        else fwrite(s, 1, (size_t)n, f);
        s += n ? n : 1;
    }
    fputc('"', f);
}

void open_json(json_buffer *b) { b->w = json_to(check_alloc(open_memstream(&b->text, &b->size))); }

char *close_json(json_buffer *b)
{
    if (fclose(b->w.f)) fail("out of memory");
    return b->text;
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
    put_json_text(w->f, name);
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
    put_json_text(w->f, value);
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

void json_raw(json_writer *w, const char *name, const char *text)
{
    if (!text) {
        json_null(w, name);
        return;
    }
    begin(w, name);
    for (const char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        if (line > text) fprintf(w->f, "\n%*s", 2 * w->depth, "");
        fwrite(line, 1, end ? (size_t)(end - line) : strlen(line), w->f);
        if (!end) return;
    }
}
