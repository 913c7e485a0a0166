/* SPDX-License-Identifier: Apache-2.0
 * case_figures.c -- makes and frees tables of figures by case, and writes them to a file (case_figures.h). */
#include "case_figures.h"
#include "common/files/atomic_file.h"
#include "common/files/csv.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const case_figure_name[] = { "dice", "iou", "precision", "recall", "hd95", "surface_distance" };

static void *array(int64_t count, size_t size) { return check_alloc(calloc((size_t)count + 1, size)); }

case_table make_case_figures(int64_t cases, int64_t classes)
{
    case_table f = { .classes = classes, .class_name = array(classes, sizeof *f.class_name),
                     .name = array(cases, sizeof *f.name), .patient = array(cases, sizeof *f.patient),
                     .millimetres = array(cases, sizeof *f.millimetres), .images = array(cases, sizeof *f.images),
                     .truth = array(cases * classes, sizeof *f.truth),
                     .predicted = array(cases * classes, sizeof *f.predicted) };
    for (int k = 0; k < CASE_KINDS; k++) f.value[k] = array(cases * classes, sizeof *f.value[k]);
    return f;
}

void free_case_figures(case_table *f)
{
    for (int64_t c = 0; c < f->classes; c++) free(f->class_name[c]);
    for (int64_t i = 0; i < f->cases; i++) {
        free(f->name[i]);
        free(f->patient[i]);
    }
    for (int k = 0; k < CASE_KINDS; k++) free(f->value[k]);
    free(f->class_name);
    free(f->name);
    free(f->patient);
    free(f->millimetres);
    free(f->images);
    free(f->truth);
    free(f->predicted);
    *f = (case_table){ 0 };
}

int64_t images_of_cases(const case_table *f)
{
    int64_t n = 0;
    for (int64_t i = 0; i < f->cases; i++) n += f->images[i];
    return n;
}

typedef struct keyed { const char *patient; int64_t at; } keyed;
static int by_patient(const void *a, const void *b)
{
    return strcmp(((const keyed *)a)->patient, ((const keyed *)b)->patient);
}

int64_t *patients_of_cases(const case_table *f)
{
    keyed *k = array(f->cases, sizeof *k);
    int64_t *number = array(f->cases, sizeof *number), known = 0;
    for (int64_t i = 0; i < f->cases; i++) {
        number[i] = -1;
        if (f->patient[i]) k[known++] = (keyed){ f->patient[i], i };
    }
    qsort(k, (size_t)known, sizeof *k, by_patient);
    for (int64_t i = 0, last = -1; i < known; i++) {
        last += !i || strcmp(k[i].patient, k[i - 1].patient);
        number[k[i].at] = last;
    }
    free(k);
    if (known) return number;
    free(number);
    return NULL;
}

static void put_heading(FILE *f)
{
    fputs("case,patient,class,pixels_truth,pixels_predicted", f);
    for (int k = 0; k < CASE_KINDS; k++) fprintf(f, ",%s", case_figure_name[k]);
    fputs(",unit,images\n", f);
}

static void put_row(FILE *to, const case_table *f, int64_t i, int64_t c)
{
    const int64_t at = i * f->classes + c;
    put_csv_field(to, f->name[i]);
    fputc(',', to);
    put_csv_field(to, f->patient[i] ? f->patient[i] : "");
    fputc(',', to);
    put_csv_field(to, f->class_name[c]);
    fprintf(to, ",%lld,%lld", (long long)f->truth[at], (long long)f->predicted[at]);
    for (int k = 0; k < CASE_KINDS; k++) {
        fputc(',', to);
        if (!isnan(f->value[k][at])) put_csv_number(to, &csv_commas, f->value[k][at]);
    }
    fprintf(to, ",%s,%lld\n", f->millimetres[i] ? "mm" : "px", (long long)f->images[i]);
}

void write_case_figures(const case_table *f, const char *path)
{
    atomic_file w;
    open_atomic(&w, path);
    put_heading(w.file);
    for (int64_t i = 0; i < f->cases; i++)
        for (int64_t c = 0; c < f->classes; c++) put_row(w.file, f, i, c);
    close_atomic(&w);
}
