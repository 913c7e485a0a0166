/* SPDX-License-Identifier: Apache-2.0
 * report_study.c -- see report_study.h. What the files hold is checked before it is used as an index. */
#include "report_study.h"
#include "common/figures/spread.h"
#include "common/files/csv.h"
#include "common/program/errors.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { most_fields = 4096 };

/* NULL: there is no such file. */
static char *read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f && errno == ENOENT) return NULL;
    char *text = NULL;
    size_t room = 0;
    ssize_t n = f ? getdelim(&text, &room, 0, f) : 0;
    if (!f || ferror(f)) fail("%s: %s", path, strerror(errno));
    if (n < 0) *(char *)need(text) = 0;                       /* an empty file */
    fclose(f);
    return text;
}

static _Noreturn void broken(const char *path) { fail("%s: not what compare wrote", path); }

static int64_t whole_number(const char *text, int64_t below, const char *path)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || end == text || *end || v < 0 || v >= below) broken(path);
    return v;
}

static double number_or_nan(const char *text, const char *path)
{
    char *end;
    double v = strtod(text, &end);
    if (*end) broken(path);
    return *text && isfinite(v) ? v : NAN;
}

const char *fact(const study *s, const char *name)
{
    for (int64_t i = 0; i < s->facts; i++)
        if (!strcmp(s->fact[i][0], name)) return s->fact[i][1];
    return NULL;
}

int64_t count_fact(const study *s, const char *name)
{
    const char *text = fact(s, name);
    if (!text) fail("%s/study.csv: lacks '%s'", s->folder, name);
    return whole_number(text, 1 << 30, s->folder);
}

static void *grown(void *items, int64_t count, size_t size) { return need(realloc(items, (size_t)(count + 1) * size)); }

static void take_fact(study *s, char **field, int fields, const char *path)
{
    if (!strcmp(field[0], "entry")) {
        if (fields != 5) broken(path);
        s->method = grown(s->method, s->methods, sizeof *s->method);
        s->method[s->methods++] = (method){ .label = field[1], .key = field[2], .settings = field[4] };
    } else if (fields != 2) {
        broken(path);
    } else if (!strcmp(field[0], "class")) {
        s->class_name = grown(s->class_name, s->classes, sizeof *s->class_name);
        s->class_name[s->classes++] = field[1];
    } else {
        s->fact = grown(s->fact, s->facts, sizeof *s->fact);
        memcpy(s->fact[s->facts++], field, sizeof *s->fact);
    }
}

/* The file of a run; NULL: none. rows: its lines but the heading's, read as `fields` fields by `take`. */
typedef void (*row_taker)(const study *s, run *r, int64_t row, char **field, const char *path);
static bool read_rows(const study *s, const method *m, run *r, int file, const char *kind, int fields, row_taker take)
{
    char name[record_name_room], *path, *field[most_fields], *at;
    record_name(name, m->key, r->draw_seed, r->number, kind);
    if (asprintf(&path, "%s/%s", s->folder, name) < 0) fail("out of memory");
    at = r->text[file] = read_text(path);
    for (int64_t row = -1; at && *at; row++) {
        if (take_csv_row(&at, field, most_fields) != fields) broken(path);
        if (row < 0) continue;
        take(s, r, row, field, path);
    }
    free(path);
    return at;
}

enum { fields_before = 6, fields_after = 2, run_fields = fields_before + result_columns + fields_after };
static void take_values(const study *s, run *r, int64_t row, char **field, const char *path)
{
    (void)s;
    if (row) broken(path);
    for (int c = 0; c < result_columns; c++) r->value[c] = number_or_nan(field[fields_before + c], path);
}

static void take_epoch(const study *s, run *r, int64_t row, char **field, const char *path)
{
    (void)s;
    r->loss = grown(r->loss, row, sizeof *r->loss);
    r->balanced = grown(r->balanced, row, sizeof *r->balanced);
    r->loss[row] = number_or_nan(field[1], path);
    r->balanced[row] = number_or_nan(field[2], path);
    r->epochs = row + 1;
}

static void take_image(const study *s, run *r, int64_t row, char **field, const char *path)
{
    r->name = grown(r->name, row, sizeof *r->name);
    r->label = grown(r->label, row, sizeof *r->label);
    r->score = grown(r->score, row, (size_t)s->classes * sizeof *r->score);
    if (whole_number(field[1], INT64_MAX, path) != row) broken(path);
    r->name[row] = field[0];
    r->label[row] = whole_number(field[2], s->classes, path);
    for (int64_t c = 0; c < s->classes; c++) {
        double p = number_or_nan(field[3 + c], path);
        if (!(p >= 0 && p <= 1.0001)) broken(path);
        r->score[row * s->classes + c] = p;
    }
    r->images = row + 1;
}

static void read_run(const study *s, method *m, run *r)
{
    r->done = read_rows(s, m, r, 0, "run", run_fields, take_values) &&
              read_rows(s, m, r, 1, "curve", 3, take_epoch) &&
              read_rows(s, m, r, 2, "test", 3 + (int)s->classes, take_image) && r->images;
    m->done += r->done;
    if (r->done && r->epochs > m->epochs) m->epochs = r->epochs;
}

study read_study(const char *folder)
{
    study s = { .folder = folder };
    char *path, *field[5];
    if (asprintf(&path, "%s/study.csv", folder) < 0) fail("out of memory");
    s.text = read_text(path);
    if (!s.text) fail("%s: no such file; expected a folder that compare --records wrote", path);
    for (char *at = s.text; *at; ) take_fact(&s, field, take_csv_row(&at, field, 5), path);
    int64_t draws = count_fact(&s, "samplings"), seeds = count_fact(&s, "runs");
    const char *seed = fact(&s, "seed");
    if (!s.methods || !s.classes || s.classes > most_fields - 3 || draws * seeds < 1 || draws * seeds > 10000000 ||
        !seed) broken(path);
    s.runs = draws * seeds;
    for (int64_t m = 0; m < s.methods; m++) {
        s.method[m].run = need(calloc((size_t)s.runs, sizeof *s.method[m].run));
        for (int64_t i = 0; i < s.runs; i++) {
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
    free(s->fact);
    free(s->text);
}

double *column(const study *s, const method *m, int c)
{
    double *v = need(malloc((size_t)s->runs * sizeof *v));
    for (int64_t i = 0; i < s->runs; i++) v[i] = m->run[i].done ? m->run[i].value[c] : NAN;
    return v;
}

int64_t decide(const study *s, const run *r, int64_t image)
{
    const double *p = r->score + image * s->classes;
    int64_t best = 0;
    for (int64_t c = 1; c < s->classes; c++)
        if (p[c] > p[best]) best = c;
    return best;
}

const method *best_method(const study *s)
{
    const method *best = NULL;
    double most = -1;
    for (int64_t m = 0; m < s->methods; m++) {
        double *v = column(s, &s->method[m], result_balanced_accuracy), mean = spread_of(v, s->runs).mean;
        if (mean > most) best = &s->method[m], most = mean;
        free(v);
    }
    return best;
}
