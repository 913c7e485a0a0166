/* SPDX-License-Identifier: Apache-2.0
 * predictions.c -- the file of --predictions: a row for each test image, with what is true and what the model decides
 * (run.h). It is a table that --data of the programs reads (docs/tables.md). */
#include "run.h"
#include "common/files/atomic_file.h"
#include "common/files/csv.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

const char **names_of_classes(const peft_dataset *d)
{
    const char **names = check_alloc(malloc((size_t)peft_dataset_classes(d) * sizeof *names));
    for (int64_t c = 0; c < peft_dataset_classes(d); c++) names[c] = peft_dataset_class_name(d, c);
    return names;
}

static void put_column(FILE *f, const char *text)
{
    fputc(',', f);
    put_csv_field(f, text);
}

void check_prediction_columns(const run *r)
{
    const char *none = "0.5";                                 /* the name of its column is not used */
    set_rule rule = parse_set_rule(given[conformal].value ? given[conformal].value : none,
                                   peft_dataset_classes(r->test));
    const set_name sets = name_of_sets(&rule);
    const bool multilabel = peft_dataset_multilabel(r->test);
    free_set_rule(&rule);
    const char *name[7] = { "image", "predicted", multilabel ? "image" : "true" };
    int64_t count = 3;
    const char **classes = names_of_classes(r->test);
    if (peft_dataset_has_groups(r->test)) name[count++] = "patient";
    if (peft_dataset_has_cases(r->test)) name[count++] = "study";
    if (r->how.thresholds || given[threshold].value) name[count++] = "decided_by";
    if (given[conformal].value) name[count++] = sets.text;
    const char *both = name_in_both(name, count, classes, peft_dataset_classes(r->test));
    for (int64_t c = 0; multilabel && !both && c < peft_dataset_classes(r->test); c++)
        for (int64_t k = 0; k < peft_dataset_classes(r->test); k++)
            if (!strncmp(classes[c], "true ", 5) && !strcmp(classes[c] + 5, classes[k])) both = classes[c];
    if (both)
        fail("--predictions: a class is named '%s', as a column of the table is, so that two columns would have this "
             "name; rename the class, or leave --predictions out", both);
    free(classes);
}

/* Patients and studies have columns where the test images have them. Several labels: a column
 * "true NAME" for each, so that what is not judged can be told from what is absent. */
static void put_heading(FILE *f, const run *r, const char *const *names)
{
    const bool multilabel = peft_dataset_multilabel(r->test);
    fprintf(f, "image%s%s", peft_dataset_has_groups(r->test) ? ",patient" : "",
            peft_dataset_has_cases(r->test) ? ",study" : "");
    for (int64_t c = 0; c < r->how.classes && multilabel; c++) {
        char *name;
        if (asprintf(&name, "true %s", names[c]) < 0) fail("out of memory");
        put_column(f, name);
        free(name);
    }
    fprintf(f, "%s,predicted", multilabel ? "" : ",true");
    if (r->how.thresholds) put_column(f, "decided_by");
    if (r->sets.coverage > 0) put_column(f, name_of_sets(&r->sets).text);
    for (int64_t c = 0; c < r->how.classes; c++) put_column(f, names[c]);
    fputc('\n', f);
}

static void put_truth(FILE *f, const run *r, int64_t i, const char *const *names, float *targets)
{
    if (!peft_dataset_multilabel(r->test)) {
        put_column(f, names[peft_dataset_label(r->test, i)]);
        return;
    }
    must(peft_dataset_targets(r->test, i, targets));
    for (int64_t c = 0; c < r->how.classes; c++) fprintf(f, ",%.0f", (double)targets[c]);
}

/* Puts the names of the classes that are chosen; `chosen` [classes]. */
static void put_chosen(FILE *f, const run *r, const char *const *names, const double *chosen)
{
    char *text = class_list(chosen, names, r->how.classes);
    put_column(f, text);
    free(text);
}

static void put_row(FILE *f, const run *r, int64_t i, const double *p, const char *const *names, double *chosen,
                    float *targets)
{
    const char *patient = peft_dataset_group(r->test, i), *study = peft_dataset_case(r->test, i);
    put_csv_field(f, peft_dataset_name(r->test, i));
    if (peft_dataset_has_groups(r->test)) put_column(f, patient ? patient : "");
    if (peft_dataset_has_cases(r->test)) put_column(f, study ? study : "");
    put_truth(f, r, i, names, targets);
    decide(&r->how, p, 1, chosen);
    put_chosen(f, r, names, chosen);
    char *by = decision_text(&r->how, names, '.');
    if (*by) put_column(f, by);
    free(by);
    if (r->sets.coverage > 0) {
        find_set(r->t.ctx, &r->sets, p, chosen);
        put_chosen(f, r, names, chosen);
    }
    for (int64_t c = 0; c < r->how.classes; c++) fprintf(f, ",%.9g", p[c]);
    fputc('\n', f);
}

void write_predictions(const run *r, const double *scores)
{
    const size_t classes = (size_t)r->how.classes;
    atomic_file w;
    const char **names = names_of_classes(r->test);
    double *chosen = check_alloc(malloc(classes * sizeof *chosen));
    float *targets = check_alloc(malloc(classes * sizeof *targets));
    open_atomic(&w, given[predictions].value);
    put_heading(w.file, r, names);
    for (int64_t i = 0; i < peft_dataset_count(r->test); i++)
        put_row(w.file, r, i, scores + i * r->how.classes, names, chosen, targets);
    close_atomic(&w);
    printf("%-22s %s\n", "written", given[predictions].value);
    free(names);
    free(chosen);
    free(targets);
}
