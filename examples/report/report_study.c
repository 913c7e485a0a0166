/* SPDX-License-Identifier: Apache-2.0
 * report_study.c -- reads the record files of a study (report_study.h). Checks numbers before it uses them as
 * indices. */
#include "report_study.h"
#include "common/figures/shown_images.h"
#include "common/figures/statistics.h"
#include "common/files/csv.h"
#include "common/files/text_file.h"
#include "common/program/errors.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { max_fields = 4096 };

_Noreturn void fail_malformed(const char *path)
{
    fail("%s: is not a record file that this version of compare wrote; repeat the study with compare --records", path);
}

int64_t whole_number(const char *text, int64_t limit, const char *path)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || end == text || *end || v < 0 || v >= limit) fail_malformed(path);
    return v;
}

double number_or_nan(const char *text, const char *path)
{
    char *end;
    double v = strtod(text, &end);
    if (*end) fail_malformed(path);
    return *text && isfinite(v) ? v : NAN;
}

const char *study_property(const study *s, const char *name)
{
    for (int64_t i = 0; i < s->properties; i++)
        if (!strcmp(s->property[i][0], name)) return s->property[i][1];
    return NULL;
}

int64_t study_integer(const study *s, const char *name)
{
    const char *text = study_property(s, name);
    if (!text) fail("%s/study.csv: has no row '%s'; repeat the study with compare --records", s->folder, name);
    char path[1024];
    snprintf(path, sizeof path, "%s/study.csv", s->folder);
    return whole_number(text, 1 << 30, path);
}

/* Stores a row of study.csv: "entry,label,key,method,settings", "class,NAME" or another property's name and value. */
static void store_property(study *s, char **field, int fields, const char *path)
{
    if (!strcmp(field[0], "entry")) {
        if (fields != 5) fail_malformed(path);
        s->method = grow_by_one(s->method, s->methods, sizeof *s->method);
        s->method[s->methods++] = (method){ .label = field[1], .key = field[2], .name = field[3],
                                              .settings = field[4] };
    } else if (fields != 2) {
        fail_malformed(path);
    } else if (!strcmp(field[0], "class")) {
        s->class_name = grow_by_one(s->class_name, s->classes, sizeof *s->class_name);
        s->class_name[s->classes++] = field[1];
    } else {
        s->property = grow_by_one(s->property, s->properties, sizeof *s->property);
        memcpy(s->property[s->properties++], field, sizeof *s->property);
    }
}

/* read_rows; with may_lack_last a missing last field (records of version 1.0) is read as empty. */
static bool read_longer_rows(const study *s, const method *m, run *r, char **keep, const char *kind, int fields,
                             bool may_lack_last, int64_t least, row_reader store)
{
    char name[record_name_size], *path, *field[max_fields], *text;
    record_name(name, m->key, r->draw_seed, r->number, kind);
    if (asprintf(&path, "%s/%s", s->folder, name) < 0) fail("out of memory");
    text = *keep = read_text_file(path, NULL);
    const int64_t heading = -1;
    static char empty[] = "";
    int64_t row = heading;
    for (; text && *text; row++) {
        const int there = read_csv_row(&text, field, max_fields);
        if (there != fields && (!may_lack_last || there != fields - 1)) fail_malformed(path);
        if (there < fields) field[fields - 1] = empty;
        if (row != heading) store(s, r, row, field, path);
    }
    if (text && row < least) fail_malformed(path);
    free(path);
    return text != NULL;
}

bool read_rows(const study *s, const method *m, run *r, char **keep, const char *kind, int fields,
               int64_t least, row_reader store)
{
    return read_longer_rows(s, m, r, keep, kind, fields, false, least, store);
}

/* Columns of KEY-SEED-RUN.run.csv: six that identify the run, the results, data, settings and what --tune chose. */
enum { fields_before = 6, fields_after = 3, run_fields = fields_before + result_columns + fields_after };
/* Columns of the .curve.csv file, and those of the .test.csv file before the probabilities (records.h). */
enum { curve_fields = 3, image_fields = 3 };

static void store_results(const study *s, run *r, int64_t row, char **field, const char *path)
{
    (void)s;
    if (row) fail_malformed(path);
    for (int c = 0; c < result_columns; c++) r->value[c] = number_or_nan(field[fields_before + c], path);
    r->chosen = field[run_fields - 1];
}

static void store_epoch(const study *s, run *r, int64_t row, char **field, const char *path)
{
    (void)s;
    r->loss = grow_by_one(r->loss, row, sizeof *r->loss);
    r->balanced = grow_by_one(r->balanced, row, sizeof *r->balanced);
    r->loss[row] = number_or_nan(field[1], path);
    r->balanced[row] = number_or_nan(field[2], path);
    r->epochs = row + 1;
}

static void store_prediction(const study *s, run *r, int64_t row, char **field, const char *path)
{
    r->name = grow_by_one(r->name, row, sizeof *r->name);
    r->label = grow_by_one(r->label, row, sizeof *r->label);
    r->score = grow_by_one(r->score, row, (size_t)s->classes * sizeof *r->score);
    if (whole_number(field[1], INT64_MAX, path) != row) fail_malformed(path);
    r->name[row] = field[0];
    r->label[row] = whole_number(field[2], s->classes, path);
    for (int64_t c = 0; c < s->classes; c++) {
        double p = number_or_nan(field[image_fields + c], path);
        if (!(p >= 0 && p <= 1.0001)) fail_malformed(path);   /* a softmax in f32 may round to slightly above 1 */
        r->score[row * s->classes + c] = p;
    }
    r->images = row + 1;
}

static void read_run(const study *s, method *m, run *r)
{
    r->done = read_longer_rows(s, m, r, &r->text[0], "run", run_fields, true, 1, store_results) &&
              read_rows(s, m, r, &r->text[1], "curve", curve_fields, 0, store_epoch) &&
              read_rows(s, m, r, &r->text[2], "test", image_fields + (int)s->classes, 1, store_prediction);
    m->done += r->done;
    if (r->done && r->epochs > m->epochs) m->epochs = r->epochs;
}

study read_study(const char *folder)
{
    study s = { .folder = folder };
    char *path, *field[5];
    if (asprintf(&path, "%s/study.csv", folder) < 0) fail("out of memory");
    s.text = read_text_file(path, NULL);
    if (!s.text) fail("%s: no such file; give a folder that compare --records wrote", path);
    for (char *text = s.text; *text; ) store_property(&s, field, read_csv_row(&text, field, 5), path);
    int64_t draws = study_integer(&s, "samplings"), seeds = study_integer(&s, "runs");
    const char *seed = study_property(&s, "seed");
    s.runs = draws * seeds;
    if (!s.methods || !s.classes || s.classes > max_fields - image_fields || s.runs < 1 || s.runs > 10000000 || !seed)
        fail_malformed(path);
    for (int64_t m = 0; m < s.methods; m++) {
        s.method[m].run = check_alloc(calloc((size_t)s.runs, sizeof *s.method[m].run));
        for (int64_t i = 0; i < s.runs; i++) {                /* first run 1 of each draw, then run 2 of each */
            run *r = &s.method[m].run[i];
            r->draw = i % draws + 1;
            r->number = i / draws + 1;
            r->draw_seed = strtoull(seed, NULL, 10) + (uint64_t)i % (uint64_t)draws;
            read_run(&s, &s.method[m], r);
        }
    }
    free(path);
    return s;
}

void free_study(study *s)
{
    for (int64_t m = 0; m < s->methods; m++) {
        for (int64_t i = 0; i < s->runs; i++) {
            run *r = &s->method[m].run[i];
            void *owned[] = { r->loss, r->balanced, r->name, r->label, r->score, r->text[0], r->text[1], r->text[2] };
            for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) free(owned[k]);
        }
        free(s->method[m].run);
    }
    free(s->method);
    free(s->class_name);
    free(s->property);
    free(s->text);
}

double *column_values(const study *s, const method *m, int column)
{
    double *v = check_alloc(malloc((size_t)s->runs * sizeof *v));
    for (int64_t i = 0; i < s->runs; i++) v[i] = m->run[i].done ? m->run[i].value[column] : NAN;
    return v;
}

bool study_has_cases(const study *s) { return study_property(s, "per_case"); }

const char *study_unit(const study *s) { return study_has_cases(s) ? "cases" : "images"; }

int64_t predicted_class(const study *s, const run *r, int64_t image)
{
    return most_probable(r->score + image * s->classes, s->classes);
}

const method *best_method(const study *s)
{
    const method *best = NULL;
    double highest = -1;
    for (int64_t m = 0; m < s->methods; m++) {
        double *v = column_values(s, &s->method[m], result_balanced_accuracy), mean = statistics_of(v, s->runs).mean;
        if (mean > highest) best = &s->method[m], highest = mean;     /* not for NaN: no finished run */
        free(v);
    }
    return best;
}

const run *first_run(const study *s, const method *m)
{
    for (int64_t i = 0; i < s->runs; i++)
        if (m->run[i].done) return &m->run[i];
    return NULL;
}
