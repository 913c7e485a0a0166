/* SPDX-License-Identifier: Apache-2.0
 * lines.c -- the lines of predict's table in its three formats (predict.h). */
#include "predict.h"
#include "common/files/csv.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_line(char **text, size_t *size) { return check_alloc(open_memstream(text, size)); }

static void close_line(FILE *f)
{
    if (fclose(f)) fail("out of memory");
}

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

/* Writes a JSON string. A byte b of a file name that is no UTF-8 becomes \udcb, as Python's os.fsdecode has it. */
static void put_json_string(FILE *f, const char *text)
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

static void put_name(FILE *f, table_format format, const char *name)
{
    if (format == FORMAT_CSV) put_csv_field(f, name);
    else if (format == FORMAT_JSONL) put_json_string(f, name);
    else fputs(name, f);
}

char *name_field(table_format format, const char *name)
{
    char *text;
    size_t size;
    FILE *f = open_line(&text, &size);
    put_name(f, format, name);
    close_line(f);
    return text;
}

static const char *const line_name[] = { [LINE_OF_IMAGE] = "image", [LINE_OF_CASE] = "case",
                                         [LINE_OF_ATTENTION] = "case" };

char *heading_line(const loaded_model *s, table_format format, line_kind lines, size_t *size)
{
    char *text;
    if (format != FORMAT_CSV) return NULL;
    FILE *f = open_line(&text, size);
    fprintf(f, "%s%s%s%s", line_name[lines], lines == LINE_OF_IMAGE ? "" : ",slices,failed",
            lines == LINE_OF_ATTENTION ? ",slice,weight" : "", s->multilabel ? "" : ",predicted");
    for (int64_t c = 0; c < s->classes; c++) {
        fputc(',', f);
        put_csv_field(f, s->names[c]);
    }
    fputc('\n', f);
    close_line(f);
    return text;
}

/* The name of the most probable class; NULL: there are no probabilities. */
static const char *best_class(const loaded_model *s, const float *p)
{
    int64_t largest = 0;
    for (int64_t c = 1; p && c < s->classes; c++)
        if (p[c] > p[largest]) largest = c;
    return p ? s->names[largest] : NULL;
}

/* The slice with the largest weight. */
static int64_t heaviest(const prediction *r)
{
    int64_t k = 0;
    for (int64_t i = 1; i < r->slices; i++)
        if (r->weight[i] > r->weight[k]) k = i;
    return k;
}

static void put_csv(FILE *f, const loaded_model *s, line_kind lines, const prediction *r)
{
    if (lines != LINE_OF_IMAGE) fprintf(f, ",%lld,%lld", (long long)r->slices, (long long)r->failed);
    if (lines == LINE_OF_ATTENTION) {
        const int64_t k = heaviest(r);
        fputc(',', f);
        if (r->slices) put_csv_field(f, r->image[k]), fprintf(f, ",%.9g", r->weight[k]);
        else fputc(',', f);
    }
    if (!s->multilabel) {
        fputc(',', f);
        if (r->probabilities) put_csv_field(f, best_class(s, r->probabilities));
    }
    for (int64_t c = 0; c < s->classes; c++) {
        fputc(',', f);
        if (r->probabilities) fprintf(f, "%.9g", r->probabilities[c]);
    }
}

static void put_json(FILE *f, const loaded_model *s, line_kind lines, const prediction *r)
{
    if (lines != LINE_OF_IMAGE)
        fprintf(f, ", \"slices\": %lld, \"failed\": %lld", (long long)r->slices, (long long)r->failed);
    if (lines == LINE_OF_ATTENTION) {
        fputs(", \"weights\": {", f);
        for (int64_t i = 0; i < r->slices; i++) {
            if (i) fputs(", ", f);
            put_json_string(f, r->image[i]);
            fprintf(f, ": %.9g", r->weight[i]);
        }
        fputc('}', f);
    }
    if (!r->probabilities) {
        fprintf(f, "%s, \"probabilities\": null}", s->multilabel ? "" : ", \"predicted\": null");
        return;
    }
    if (!s->multilabel) fputs(", \"predicted\": ", f), put_json_string(f, best_class(s, r->probabilities));
    fputs(", \"probabilities\": {", f);
    for (int64_t c = 0; c < s->classes; c++) {
        if (c) fputs(", ", f);
        put_json_string(f, s->names[c]);
        fprintf(f, ": %.9g", r->probabilities[c]);
    }
    fputs("}}", f);
}

static void put_text(FILE *f, const loaded_model *s, line_kind lines, const prediction *r)
{
    if (lines != LINE_OF_IMAGE) fprintf(f, "  slices=%lld", (long long)r->slices);
    if (r->failed) fprintf(f, " failed=%lld", (long long)r->failed);
    if (lines == LINE_OF_ATTENTION && r->slices)
        fprintf(f, " slice=%s weight=%.9g", r->image[heaviest(r)], r->weight[heaviest(r)]);
    fputs("  ", f);
    if (!r->probabilities) {
        fputs("-", f);
        return;
    }
    if (!s->multilabel) fprintf(f, "%s ", best_class(s, r->probabilities));
    for (int64_t c = 0; c < s->classes; c++) fprintf(f, " %s=%.9g", s->names[c], r->probabilities[c]);
}

char *line_of_field(const loaded_model *s, table_format format, line_kind lines, const char *field, size_t length,
                    const prediction *p, size_t *size)
{
    static void (*const put[])(FILE *, const loaded_model *, line_kind, const prediction *) = {
        [FORMAT_TEXT] = put_text, [FORMAT_CSV] = put_csv, [FORMAT_JSONL] = put_json };
    char *text;
    FILE *f = open_line(&text, size);
    if (format == FORMAT_JSONL) fprintf(f, "{\"%s\": ", line_name[lines]);
    fwrite(field, 1, length, f);
    put[format](f, s, lines, p);
    fputc('\n', f);
    close_line(f);
    return text;
}

char *prediction_line(const loaded_model *s, table_format format, line_kind lines, const prediction *p, size_t *size)
{
    char *field = name_field(format, p->name);
    char *text = line_of_field(s, format, lines, field, strlen(field), p, size);
    free(field);
    return text;
}
