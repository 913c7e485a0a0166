/* SPDX-License-Identifier: Apache-2.0
 * lines.c -- the lines of predict's table in its four formats (predict.h). */
#include "predict.h"
#include "common/program/errors.h"
#include "common/record/json_write.h"
#include "segment/area_lines.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_line(char **text, size_t *size) { return check_alloc(open_memstream(text, size)); }

static void close_line(FILE *f)
{
    if (fclose(f)) fail("out of memory");
}

static const char *const line_name[] = { [LINE_OF_IMAGE] = "image", [LINE_OF_CASE] = "case",
                                         [LINE_OF_ATTENTION] = "case", [LINE_OF_AREAS] = "image" };

/* Puts a separator and the text. */
static void put_column(FILE *f, const csv_style *style, const char *text)
{
    fputc(style->separator, f);
    put_csv_text(f, style, text);
}

/* Puts the columns before those of the probabilities. A class must not have the name of one of them. */
static void put_own_columns(FILE *f, const csv_style *style, const loaded_model *s, line_kind lines)
{
    const set_name sets = name_of_sets(&s->sets);
    const char *name[8];
    int64_t count = 0;
    name[count++] = line_name[lines];
    if (lines != LINE_OF_IMAGE) name[count++] = "slices", name[count++] = "failed";
    if (lines == LINE_OF_ATTENTION) name[count++] = "slice", name[count++] = "weight";
    name[count++] = "predicted";
    if (s->how.thresholds) name[count++] = "decided_by";
    name[count] = sets.text;                                  /* checked also if there is no such column */
    const char *both = name_in_both(name, count + 1, (const char *const *)s->names, s->classes);
    if (both)
        fail("--format: a class of the model is named '%s', as a column of the table is, so that two columns would "
             "have this name; give --format jsonl, or rename the class and train again", both);
    fputs(name[0], f);
    for (int64_t k = 1; k < count; k++) put_column(f, style, name[k]);
}

char *heading_line(const loaded_model *s, table_format format, line_kind lines, size_t *size)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";       /* without it Excel takes UTF-8 for another encoding */
    const csv_style *style = style_of_format(format);
    char *text;
    if (!is_csv(format)) return NULL;
    FILE *f = open_line(&text, size);
    fputs(format == FORMAT_CSV_SEMICOLON ? byte_order_mark : "", f);
    if (lines == LINE_OF_AREAS) put_area_columns(f, style, s);
    else {
        put_own_columns(f, style, s, lines);
        if (s->sets.coverage > 0) put_column(f, style, name_of_sets(&s->sets).text);
        for (int64_t c = 0; c < s->classes; c++) put_column(f, style, s->names[c]);
    }
    fputc('\n', f);
    close_line(f);
    return text;
}

/* What is decided for probabilities [classes] (not NULL): for each class whether it is decided, and whether it is in
 * the prediction set. */
typedef struct outcome { double *decided, *set; } outcome;

static outcome find_outcome(const loaded_model *s, const float *probabilities)
{
    const size_t classes = (size_t)s->classes;
    double *p = check_alloc(malloc(classes * sizeof *p));
    outcome o = { check_alloc(malloc(classes * sizeof *p)), check_alloc(calloc(classes, sizeof *p)) };
    for (size_t c = 0; c < classes; c++) p[c] = probabilities[c];
    decide(&s->how, p, 1, o.decided);
    if (s->sets.coverage > 0) find_set(s->ctx, &s->sets, p, o.set);
    free(p);
    return o;
}

static void free_outcome(outcome *o)
{
    free(o->decided);
    free(o->set);
}

/* The slice with the largest weight. */
static int64_t heaviest(const prediction *r)
{
    int64_t k = 0;
    for (int64_t i = 1; i < r->slices; i++)
        if (r->weight[i] > r->weight[k]) k = i;
    return k;
}

/* Puts a column with the names of the chosen classes. */
static void put_chosen(FILE *f, const csv_style *style, const loaded_model *s, const double *chosen)
{
    char *names = class_list(chosen, s->names, s->classes);
    put_column(f, style, names);
    free(names);
}

static void put_csv(FILE *f, const loaded_model *s, const csv_style *style, line_kind lines, const prediction *r)
{
    const char sep = style->separator;
    if (lines != LINE_OF_IMAGE) fprintf(f, "%c%lld%c%lld", sep, (long long)r->slices, sep, (long long)r->failed);
    if (lines == LINE_OF_ATTENTION) {
        const int64_t k = heaviest(r);
        put_column(f, style, r->slices ? r->image[k] : "");
        fputc(sep, f);
        if (r->slices) put_csv_number(f, style, r->weight[k]);
    }
    if (!r->probabilities) {
        const int64_t columns = 1 + (s->how.thresholds != NULL) + (s->sets.coverage > 0) + s->classes;
        for (int64_t c = 0; c < columns; c++) fputc(sep, f);
        return;
    }
    outcome o = find_outcome(s, r->probabilities);
    put_chosen(f, style, s, o.decided);
    if (s->how.thresholds) {
        char *by = decision_text(&s->how, s->names, style->decimal);
        put_column(f, style, by);
        free(by);
    }
    if (s->sets.coverage > 0) put_chosen(f, style, s, o.set);
    for (int64_t c = 0; c < s->classes; c++) {
        fputc(sep, f);
        put_csv_number(f, style, r->probabilities[c]);
    }
    free_outcome(&o);
}

static void put_csv_commas(FILE *f, const loaded_model *s, line_kind lines, const prediction *r)
{
    put_csv(f, s, &csv_commas, lines, r);
}

static void put_csv_semicolons(FILE *f, const loaded_model *s, line_kind lines, const prediction *r)
{
    put_csv(f, s, &csv_semicolons, lines, r);
}

/* Puts an array with the names of the chosen classes. */
static void put_json_names(FILE *f, const loaded_model *s, const double *chosen)
{
    bool any = false;
    fputc('[', f);
    for (int64_t c = 0; c < s->classes; c++) {
        if (chosen[c] == 0) continue;
        if (any) fputs(", ", f);
        put_json_text(f, s->names[c]);
        any = true;
    }
    fputc(']', f);
}

/* Puts the decision, the thresholds that made it, and the prediction set. */
static void put_json_decision(FILE *f, const loaded_model *s, const prediction *r)
{
    outcome o = find_outcome(s, r->probabilities);
    fputs(", \"predicted\": ", f);
    if (s->multilabel) put_json_names(f, s, o.decided);
    for (int64_t c = 0; c < s->classes && !s->multilabel; c++)
        if (o.decided[c] > 0) put_json_text(f, s->names[c]);
    if (s->how.thresholds) {
        char *by = decision_text(&s->how, s->names, '.');
        fputs(", \"decided_by\": ", f);
        put_json_text(f, by);
        free(by);
    }
    if (s->sets.coverage > 0) {
        fprintf(f, ", \"%s\": ", name_of_sets(&s->sets).text);
        put_json_names(f, s, o.set);
    }
    free_outcome(&o);
}

static void put_json(FILE *f, const loaded_model *s, line_kind lines, const prediction *r)
{
    if (lines != LINE_OF_IMAGE)
        fprintf(f, ", \"slices\": %lld, \"failed\": %lld", (long long)r->slices, (long long)r->failed);
    if (lines == LINE_OF_ATTENTION) {
        fputs(", \"weights\": {", f);
        for (int64_t i = 0; i < r->slices; i++) {
            if (i) fputs(", ", f);
            put_json_text(f, r->image[i]);
            fprintf(f, ": %.9g", r->weight[i]);
        }
        fputc('}', f);
    }
    if (!r->probabilities) {
        fputs(", \"predicted\": null, \"probabilities\": null}", f);
        return;
    }
    put_json_decision(f, s, r);
    fputs(", \"probabilities\": {", f);
    for (int64_t c = 0; c < s->classes; c++) {
        if (c) fputs(", ", f);
        put_json_text(f, s->names[c]);
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
    outcome o = find_outcome(s, r->probabilities);
    char *decided = class_list(o.decided, s->names, s->classes), *set = class_list(o.set, s->names, s->classes);
    fprintf(f, "%s ", *decided ? decided : "-");
    if (s->how.thresholds) {
        char *by = decision_text(&s->how, s->names, '.');
        fprintf(f, " decided_by:%s", by);
        free(by);
    }
    if (s->sets.coverage > 0) fprintf(f, " %s=%s", name_of_sets(&s->sets).text, *set ? set : "-");
    for (int64_t c = 0; c < s->classes; c++) fprintf(f, " %s=%.9g", s->names[c], r->probabilities[c]);
    free(decided);
    free(set);
    free_outcome(&o);
}

char *line_of_field(const loaded_model *s, table_format format, line_kind lines, const char *field, size_t length,
                    const prediction *p, size_t *size)
{
    static void (*const put[])(FILE *, const loaded_model *, line_kind, const prediction *) = {
        [FORMAT_TEXT] = put_text, [FORMAT_CSV] = put_csv_commas,
        [FORMAT_CSV_SEMICOLON] = put_csv_semicolons, [FORMAT_JSONL] = put_json };
    char *text;
    FILE *f = open_line(&text, size);
    if (format == FORMAT_JSONL) fprintf(f, "{\"%s\": ", line_name[lines]);
    fwrite(field, 1, length, f);
    if (lines == LINE_OF_AREAS) put_areas(f, format, s, p->areas);
    else put[format](f, s, lines, p);
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
