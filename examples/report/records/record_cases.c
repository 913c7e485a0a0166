/* SPDX-License-Identifier: Apache-2.0
 * record_cases.c -- reads the figures by case of a run of a study of masks (report_study.h). */
#include "common/program/errors.h"
#include "report/report_study.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ends the program unless the classes of the file are those of the study. */
static void check_classes(const study *s, const case_table *f, const char *path)
{
    bool same = f->classes == s->classes;
    for (int64_t c = 0; same && c < s->classes; c++) same = !strcmp(f->class_name[c], s->class_name[c]);
    if (!same) fail_malformed(path);
}

bool read_cases(const study *s, const method *m, run *r)
{
    char *path = path_of_record(s, m, r, "cases");
    const bool there = !access(path, R_OK);
    if (there) r->cases = read_case_figures(path);
    if (there) check_classes(s, &r->cases, path);
    const int64_t images = there ? images_of_cases(&r->cases) : 0;
    const bool whole = there && (double)images >= r->value[result_test_images];
    if (!there) warn("%s: there is no such file; this run is left out", path);
    else if (!whole)
        warn("%s: the file is cut short, after cases of %lld of %.0f images; this run is left out", path,
             (long long)images, r->value[result_test_images]);
    if (whole && (double)images > r->value[result_test_images])
        fail("%s: has cases of %lld images, and the run tested %.0f; %s", path, (long long)images,
             r->value[result_test_images], damaged_records_advice);
    if (whole) check_recorded_cases(s, m, r, path);
    free(path);
    if (!whole) return false;
    r->images = r->cases.cases;
    r->name = check_alloc(malloc((size_t)r->images * sizeof *r->name));
    r->patient = check_alloc(malloc((size_t)r->images * sizeof *r->patient));
    r->label = check_alloc(calloc((size_t)r->images, sizeof *r->label));
    for (int64_t i = 0; i < r->images; i++) {
        r->name[i] = r->cases.name[i];
        r->patient[i] = r->cases.patient[i];
        r->has_patients = r->has_patients || r->patient[i];
    }
    return true;
}
