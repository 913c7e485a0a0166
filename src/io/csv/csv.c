/* SPDX-License-Identifier: Apache-2.0
 * csv.c -- io_csv_read: cuts a text into rows and cells. Cells are unquoted in place, since they only become shorter.
 */
#include "io/csv/csv.h"
#include <stdio.h>

enum { MAX_ROWS = (1 << 24) + 1 };                            /* with that of the names of the columns */

/* A text that is being read. */
typedef struct reader {
    io_csv *csv;
    const char *path;
    char delimiter;
    char *next;                                               /* what is not read yet */
    int64_t number;                                           /* of the line of next, from 1 */
    char **cell;                                              /* [cells] of all rows so far; grows */
    int64_t cells, capacity, lines_capacity;
} reader;

static bool is_line_end(char c) { return !c || c == '\n' || c == '\r'; }
static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static peft_status bad_line(const reader *r, int64_t line, const char *problem)
{
    return io_fail(PEFT_E_FORMAT, "%s: line %lld: %s", r->path, (long long)line, problem);
}

static peft_status add_cell(reader *r, char *text)
{
    if (!io_grow(r->csv->ctx, &r->cell, r->cells, &r->capacity, sizeof *r->cell)) return io_nomem(r->path);
    r->cell[r->cells++] = text;
    return PEFT_OK;
}

static peft_status add_line(reader *r, int64_t line)
{
    if (r->csv->rows == MAX_ROWS)
        return io_fail(PEFT_E_UNSUPPORTED, "%s: line %lld: the table has more than %d rows below the names of the "
                       "columns, which is the limit; divide it into several tables", r->path, (long long)line,
                       MAX_ROWS - 1);
    if (!io_grow(r->csv->ctx, &r->csv->line, r->csv->rows, &r->lines_capacity, sizeof *r->csv->line))
        return io_nomem(r->path);
    r->csv->line[r->csv->rows++] = line;
    return PEFT_OK;
}

/* Moves next behind a line end: LF, CRLF or CR. */
static void skip_line_end(reader *r)
{
    if (r->next[0] == '\r' && r->next[1] == '\n') r->next++;
    if (*r->next) {
        r->next++;
        r->number++;
    }
}

/* Moves next behind a quoted cell, whose text becomes *begin..*end, with doubled quotes made single. */
static peft_status read_quoted(reader *r, char **begin, char **end)
{
    const int64_t line = r->number;
    char *from = r->next + 1, *to = from;
    *begin = from;
    for (;; from++) {
        if (!*from) return bad_line(r, line, "the quote of a cell is not closed");
        if (*from == '"' && *++from != '"') break;
        r->number += *from == '\n' || (*from == '\r' && from[1] != '\n');
        *to++ = *from;
    }
    *end = to;
    while (is_blank(*from) && *from != r->delimiter) from++;
    r->next = from;
    if (*from == r->delimiter || is_line_end(*from)) return PEFT_OK;
    return bad_line(r, r->number, "text behind the closing quote of a cell; a quote in a cell is written twice");
}

/* Reads a cell, and sets *last: it ends its row. next is moved to the next cell of the row, or to the line end. */
static peft_status read_cell(reader *r, bool *last)
{
    char *begin = r->next, *end = begin;
    while (is_blank(*r->next) && *r->next != r->delimiter) r->next++;
    if (*r->next == '"') {
        peft_status s = read_quoted(r, &begin, &end);
        if (s) return s;
    } else {
        begin = r->next;
        while (*r->next != r->delimiter && !is_line_end(*r->next)) r->next++;
        end = r->next;
    }
    *last = *r->next != r->delimiter;
    if (*last) skip_line_end(r);
    else r->next++;
    while (end > begin && is_blank(end[-1])) end--;
    while (begin < end && is_blank(*begin)) begin++;
    *end = 0;                                                 /* a separator or line end that is read, or a quote */
    return add_cell(r, begin);
}

/* Whether the cells from `first` on are all empty. */
static bool all_empty(const reader *r, int64_t first)
{
    for (int64_t i = first; i < r->cells; i++)
        if (*r->cell[i]) return false;
    return true;
}

/* Reads a row and leaves it out if it is empty. The first row that is not gives the number of columns: columns at its
 * end without a name are none. Other rows have as many cells; more are accepted if they are empty. */
static peft_status read_row(reader *r)
{
    io_csv *c = r->csv;
    const int64_t first = r->cells, line = r->number;
    char text[120];
    peft_status s = PEFT_OK;
    for (bool last = false; !last && !s;) s = read_cell(r, &last);
    if (s) return s;
    if (all_empty(r, first)) {
        r->cells = first;
        return PEFT_OK;
    }
    if (!c->columns) {
        while (all_empty(r, r->cells - 1)) r->cells--;
        c->columns = r->cells;
    }
    const int64_t cells = r->cells - first;
    if (cells < c->columns || !all_empty(r, first + c->columns)) {
        snprintf(text, sizeof text, "%lld cells, but the first line has %lld columns; a cell that contains the "
                 "separator needs quotes", (long long)cells, (long long)c->columns);
        return bad_line(r, line, text);
    }
    r->cells = first + c->columns;
    return add_line(r, line);
}

/* Reads a first line "sep=;", in quotes or not, which spreadsheets take as the separator and show in no cell. */
static void read_separator_line(reader *r)
{
    const char *t = r->next + (*r->next == '"');
    char word[5];
    snprintf(word, sizeof word, "%s", t);
    if (!io_same_word(word, "sep=") || is_line_end(t[4])) return;
    const char *end = t + 5 + (*r->next == '"' && t[5] == '"');
    if (!is_line_end(*end)) return;
    if (!r->delimiter) r->delimiter = t[4];
    r->next += end - r->next;
    skip_line_end(r);
}

/* The separator that the first line has most of, outside of quotes; a comma if it has none. */
static char find_delimiter(const char *text)
{
    static const char known[] = { ',', ';', '\t' };
    enum { KNOWN = sizeof known };
    int64_t count[KNOWN] = { 0 };
    int best = 0;
    bool quoted = false;
    for (; *text && (quoted || !is_line_end(*text)); text++) {
        quoted ^= *text == '"';
        for (int k = 0; k < KNOWN && !quoted; k++) count[k] += *text == known[k];
    }
    for (int k = 1; k < KNOWN; k++)
        if (count[k] > count[best]) best = k;
    return known[best];
}

/* Skips empty lines and comments (#) before the names of the columns. */
static void skip_comments(reader *r)
{
    while (*r->next && (is_line_end(*r->next) || *r->next == '#')) {
        while (!is_line_end(*r->next)) r->next++;
        skip_line_end(r);
    }
}

peft_status io_csv_read(peft_context *ctx, const char *path, char *text, char delimiter, io_csv *out)
{
    *out = (io_csv){ .ctx = ctx, .text = text };
    reader r = { .csv = out, .path = path, .delimiter = delimiter, .next = text, .number = 1 };
    read_separator_line(&r);
    skip_comments(&r);
    if (!r.delimiter) r.delimiter = find_delimiter(r.next);
    peft_status s = PEFT_OK;
    while (*r.next && !s) s = read_row(&r);
    out->cell = r.cell;
    if (!s && !out->rows) s = io_fail(PEFT_E_FORMAT, "%s: the table is empty; expected a line of column names", path);
    return s;
}

void io_csv_clear(io_csv *c)
{
    peft_sys_free(c->ctx, c->text);
    peft_sys_free(c->ctx, c->cell);
    peft_sys_free(c->ctx, c->line);
    *c = (io_csv){ .ctx = c->ctx };
}
