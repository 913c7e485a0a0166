/* SPDX-License-Identifier: Apache-2.0
 * figure.c -- writes a figure or a table with its values: as a folded table, and as CSV files, which are links that
 * hold the file (data:) or files in a folder beside the page (page.h). */
#include "common/figures/svg.h"
#include "common/program/errors.h"
#include "page.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { longest_name = 60 };
static const struct { const char *text, *ending; } forms[] = {
    [DECIMAL_POINT] = { "decimal points", "" }, [DECIMAL_COMMA] = { "decimal commas", "-decimal-comma" } };

/* The name of a table's CSV file: "study-1-02-learning-curves.csv", to be freed. */
static char *file_name(const page *p, const table *t, enum csv_form form)
{
    char words[longest_name + 1], *name;
    int n = 0;
    for (const char *c = t->title; *c && n < longest_name; c++) {
        if (isalnum((unsigned char)*c)) words[n++] = (char)tolower((unsigned char)*c);
        else if (n && words[n - 1] != '-') words[n++] = '-';
    }
    while (n && words[n - 1] == '-') n--;
    words[n] = 0;
    char part[32] = "card";
    if (p->study) snprintf(part, sizeof part, "study-%lld", (long long)p->study);
    if (asprintf(&name, "%s-%02lld-%s%s.csv", part, (long long)p->tables, words, forms[form].ending) < 0)
        fail("out of memory");
    return name;
}

/* Writes bytes other than unreserved ones and ',' and ';' as %XX (RFC 3986). */
static void put_percent(FILE *f, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c < 0x80 && (isalnum(c) || strchr("-._~,;:", c))) fputc(c, f);
        else fprintf(f, "%%%02X", c);
    }
}

static void put_csv_link(page *p, const table *t, enum csv_form form)
{
    size_t size;
    char *text = csv_text(t, form, &size), *name = file_name(p, t, form);
    fprintf(p->f, "<a download=\"%s\" href=\"", name);
    if (p->csv) {
        put_percent(p->f, p->csv, strlen(p->csv));
        fprintf(p->f, "/%s", name);
        p->file = grow_by_one(p->file, p->files, sizeof *p->file);
        p->file[p->files++] = (csv_file){ name, text, size };
    } else {
        fputs("data:text/csv;charset=utf-8,", p->f);
        put_percent(p->f, text, size);
        free(text);
        free(name);
    }
    fprintf(p->f, "\">%s</a>", forms[form].text);
}

void put_csv_links(page *p, const table *t)
{
    p->tables++;
    fputs("<p class=\"links\">CSV: ", p->f);
    put_csv_link(p, t, DECIMAL_POINT);
    fputs(" or ", p->f);
    put_csv_link(p, t, DECIMAL_COMMA);
    fputs("</p>\n", p->f);
}

void put_table(page *p, table *t)
{
    put_html_table(p->f, t);
    put_csv_links(p, t);
    free_table(t);
}

void open_figure(page *p, const char *class)
{
    if (class) fprintf(p->f, "<figure class=\"%s\">\n", class);
    else fputs("<figure>\n", p->f);
}

void put_caption(page *p, const char *text, const char *small)
{
    fputs("<figcaption>", p->f);
    put_escaped(p->f, text);
    if (small) {
        fputs("<br><small>", p->f);
        put_escaped(p->f, small);
        fputs("</small>", p->f);
    }
    fputs("</figcaption>\n", p->f);
}

void close_figure(page *p, table *values, table *more)
{
    fputs("<details><summary>Values", p->f);
    fputs("<span class=\"hidden\"> of ", p->f);
    put_escaped(p->f, values->title);
    fputs("</span></summary>\n", p->f);
    put_html_table(p->f, values);
    put_csv_links(p, more ? more : values);
    fputs("</details>\n</figure>\n", p->f);
    free_table(values);
    free_table(more);
}

void open_svg(FILE *f, int width, int height, const char *title, const char *after, const char *description)
{
    fprintf(f, "<svg viewBox=\"0 0 %d %d\" role=\"img\" class=\"ink\" font-size=\"12\" fill=\"%s\">\n<title>", width,
            height, ink_colour(INK_TEXT));
    put_escaped(f, title);
    put_escaped(f, after);
    fputs("</title>\n<desc>", f);
    put_escaped(f, description);
    fputs("</desc>\n", f);
}

void free_page(page *p)
{
    for (int64_t i = 0; i < p->files; i++) {
        free(p->file[i].name);
        free(p->file[i].text);
    }
    free(p->file);
}
