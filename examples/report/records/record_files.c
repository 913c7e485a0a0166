/* SPDX-License-Identifier: Apache-2.0
 * record_files.c -- reads the record files of a run (report_study.h). A curve or predictions that are cut short or
 * missing give a warning, and report goes on with what is there; other damage ends the program. */
#include "common/files/text_file.h"
#include "common/program/errors.h"
#include "record_rows.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Columns of KEY-SEED-RUN.run.csv: six that identify the run, the results, with masks those of each class, data,
 * settings and what --tune chose. */
enum { fields_before = 6, fields_after = 3 };
static int run_fields(const study *s)
{
    int n = fields_before + fields_after;
    for (int c = 0; c < result_columns; c++) n += has_result(s, c);
    return n + (s->masks ? (int)s->classes * results_of_class : 0);
}

/* Columns of the .curve.csv file, and those of the .test.csv file before the probabilities (records.h). */
enum { curve_fields = 3, image_fields = 3 };

static void store_results(const study *s, run *r, int64_t row, char **field, const char *path)
{
    char **value = field + fields_before;
    if (row) fail_malformed(path);
    const int64_t of_class = s->masks ? s->classes * results_of_class : 0;
    for (int c = 0; c < result_columns; c++) r->value[c] = has_result(s, c) ? number_or_nan(*value++, path) : NAN;
    if (of_class) r->of_class = check_alloc(malloc((size_t)of_class * sizeof *r->of_class));
    for (int64_t k = 0; k < of_class; k++) r->of_class[k] = number_or_nan(*value++, path);
    r->chosen = field[run_fields(s) - 1];
}

/* A number of a curve; warns of a text that is no finite number. */
static double curve_value(const char *text, bool may_be_empty, const char *what, int64_t row, const char *path)
{
    const double v = number_or_nan(text, path);
    if (isnan(v) && (*text || !may_be_empty))
        warn("%s:%lld: the %s is '%s', which is no finite number; the curve leaves it out", path, (long long)row + 2,
             what, text);
    return v;
}

static void store_epoch(const study *s, run *r, int64_t row, char **field, const char *path)
{
    (void)s;
    r->loss = grow_by_one(r->loss, row, sizeof *r->loss);
    r->figure = grow_by_one(r->figure, row, sizeof *r->figure);
    r->loss[row] = curve_value(field[1], false, "loss", row, path);
    r->figure[row] = curve_value(field[2], true, s->masks ? "Dice" : "balanced accuracy", row, path);
    r->epochs = row + 1;
}

static void store_prediction(const study *s, run *r, int64_t row, char **field, const char *path)
{
    const char *patient = field[image_fields + s->classes];
    r->name = grow_by_one(r->name, row, sizeof *r->name);
    r->patient = grow_by_one(r->patient, row, sizeof *r->patient);
    r->label = grow_by_one(r->label, row, sizeof *r->label);
    r->score = grow_by_one(r->score, row, (size_t)s->classes * sizeof *r->score);
    if (whole_number(field[1], INT64_MAX, path) != row) fail_malformed(path);
    r->name[row] = field[0];
    r->patient[row] = *patient ? patient : NULL;
    r->has_patients = r->has_patients || *patient;
    r->label[row] = whole_number(field[2], s->classes, path);
    for (int64_t c = 0; c < s->classes; c++) {
        double p = number_or_nan(field[image_fields + c], path);
        if (!(p >= 0 && p <= 1.0001)) fail_malformed(path);   /* a softmax in f32 may round to slightly above 1 */
        r->score[row * s->classes + c] = p;
    }
    r->images = row + 1;
}

/* The epochs that the run was trained for, by what --tune chose or the settings; 0: they do not tell. */
static int64_t epochs_of(const method *m, const run *r)
{
    const char *chosen = strstr(r->chosen, "epochs="), *set = strstr(m->settings, " epochs=");
    if (chosen && (chosen == r->chosen || chosen[-1] == ',')) return strtoll(chosen + strlen("epochs="), NULL, 10);
    return set ? strtoll(set + strlen(" epochs="), NULL, 10) : 0;
}

/* Reads the learning curve. A run without one, or with a part of it, stays. */
static void read_curve(const study *s, const method *m, run *r)
{
    const file_rows f = read_record_file(s, m, r, &r->text[1], &(file_form){ .kind = "curve", .fields = curve_fields,
                                                                      .may_end_early = true, .store = store_epoch });
    const int64_t epochs = epochs_of(m, r);
    char *path = path_of_record(s, m, r, "curve");
    if (!f.there) warn("%s: there is no such file; this run has no learning curve", path);
    else if (f.cut || f.rows < epochs)
        warn("%s:%lld: the file is cut short; the curve of this run ends after %lld epochs", path,
             (long long)(f.cut ? f.cut : f.rows + 2), (long long)f.rows);
    free(path);
}

/* Reads the predictions. False: they are not all there. */
static bool read_predictions(const study *s, const method *m, run *r)
{
    const file_form form = { .kind = "test", .fields = image_fields + (int)s->classes + 1, .may_lack_last = true,
                             .may_end_early = true, .store = store_prediction };
    const file_rows f = read_record_file(s, m, r, &r->text[2], &form);
    const double images = r->value[result_test_images];
    const bool whole = f.there && !f.cut && f.rows && !((double)f.rows < images);
    char *path = path_of_record(s, m, r, "test");
    if (!f.there) warn("%s: there is no such file; this run is left out", path);
    else if (!whole)
        warn("%s:%lld: the file is cut short, after %lld of %.0f predictions; this run is left out", path,
             (long long)(f.cut ? f.cut : f.rows + 2), (long long)f.rows, isnan(images) ? (double)f.rows + 1 : images);
    free(path);
    return whole;
}

/* Warns of files of a run that has not the one that compare writes last. */
static void warn_of_unfinished(const study *s, const method *m, const run *r)
{
    char *path = path_of_record(s, m, r, "run"), *test = path_of_record(s, m, r, s->masks ? "cases" : "test"),
         *text = read_text_file(test, NULL);
    if (text) warn("%s: there is no such file, but there is %s; this run is left out", path, test);
    free(text);
    free(test);
    free(path);
}

void read_run(const study *s, method *m, run *r)
{
    const file_form results = { .kind = "run", .fields = run_fields(s), .may_lack_last = true, .store = store_results };
    const file_rows f = read_record_file(s, m, r, &r->text[0], &results);
    char *path = path_of_record(s, m, r, "run");
    if (f.there && !f.rows) fail_malformed(path);
    free(path);
    if (!f.there) {
        warn_of_unfinished(s, m, r);
        return;
    }
    read_curve(s, m, r);
    r->done = (s->masks ? read_cases : read_predictions)(s, m, r);
    if (r->done && s->masks) read_masks(s, m, r);
    m->done += r->done;
    if (!r->done) r->epochs = r->images = 0;
    if (r->epochs > m->epochs) m->epochs = r->epochs;
}
