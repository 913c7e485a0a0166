/* SPDX-License-Identifier: Apache-2.0
 * report_study.c -- reads the record files of a study (report_study.h). Checks numbers before it uses them as
 * indices. */
#include "report_study.h"
#include "common/figures/shown_images.h"
#include "common/figures/statistics.h"
#include "common/files/csv.h"
#include "common/files/text_file.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *study_property(const study *s, const char *name)
{
    for (int64_t i = 0; i < s->properties; i++)
        if (!strcmp(s->property[i][0], name)) return s->property[i][1];
    return NULL;
}

count_range study_range(const study *s, const char *name, int64_t *rows)
{
    count_range r = EMPTY_RANGE;
    char path[1024];
    snprintf(path, sizeof path, "%s/study.csv", s->folder);
    *rows = 0;
    for (int64_t i = 0; i < s->properties; i++) {
        if (strcmp(s->property[i][0], name)) continue;
        add_to_range(&r, whole_number(s->property[i][1], 1 << 30, path));
        ++*rows;
    }
    if (!*rows) fail("%s: has no row '%s'; repeat the study with compare --records", path, name);
    return r;
}

int64_t study_integer(const study *s, const char *name)
{
    int64_t rows;
    return study_range(s, name, &rows).low;
}

/* Was --spacing given? Older records have it in the settings alone. */
static bool was_spaced(const study *s)
{
    const char *spacing = study_property(s, "spacing");
    return spacing ? *spacing : s->methods && strstr(s->method[0].settings, " spacing=");
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

study read_study(const char *folder)
{
    study s = { .folder = folder };
    char *path, *field[5];
    if (asprintf(&path, "%s/study.csv", folder) < 0) fail("out of memory");
    s.text = read_text_file(path, NULL);
    if (!s.text) fail("%s: no such file; give a folder that compare --records wrote", path);
    for (char *text = s.text; *text; ) store_property(&s, field, read_csv_row(&text, field, 5), path);
    s.masks = study_property(&s, "masks");
    s.spaced = was_spaced(&s);
    int64_t draws = study_integer(&s, "samplings"), seeds = study_integer(&s, "runs");
    const char *seed = study_property(&s, "seed");
    s.runs = draws * seeds;
    if (!s.methods || !s.classes || s.classes > most_record_fields - 4 || s.runs < 1 || s.runs > 10000000 || !seed)
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
    if (s.masks) check_cases_of_runs(&s);
    free(path);
    return s;
}

void free_study(study *s)
{
    for (int64_t m = 0; m < s->methods; m++) {
        for (int64_t i = 0; i < s->runs; i++) {
            run *r = &s->method[m].run[i];
            void *owned[] = { r->loss, r->figure, r->name, r->patient, r->label, r->score, r->text[0], r->text[1],
                              r->text[2], r->text[3] };
            for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) free(owned[k]);
            for (int64_t k = 0; k < r->shown_masks; k++) free(r->shown[k].label);
            free_case_figures(&r->cases);
            free(r->of_class);
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

const char *study_unit(const study *s) { return s->masks || study_has_cases(s) ? "cases" : "images"; }

int64_t predicted_class(const study *s, const run *r, int64_t image)
{
    return most_probable(r->score + image * s->classes, s->classes);
}

const ranking_figure *ranking(const study *s)
{
    static const ranking_figure of_masks = { result_dice, "Dice", "Dice", "mean_macro" },
                               of_classes = { result_balanced_accuracy, "balanced accuracy", "Balanced accuracy",
                                              "balanced_accuracy" };
    return s->masks ? &of_masks : &of_classes;
}

const method *best_method(const study *s)
{
    const method *best = NULL;
    double highest = -1;
    for (int64_t m = 0; m < s->methods; m++) {
        double *v = column_values(s, &s->method[m], ranking(s)->column), mean = statistics_of(v, s->runs).mean;
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
