/* SPDX-License-Identifier: Apache-2.0
 * class_figures.c -- computes the figures of each class against the others, with intervals (class_figures.h). */
#include "class_figures.h"
#include "common/decision/intervals.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdlib.h>

const char *const class_figure_name[CLASS_FIGURES] = {
    [SENSITIVITY] = "sensitivity", [SPECIFICITY] = "specificity", [PPV] = "ppv", [NPV] = "npv", [AUROC] = "auroc",
    [AVERAGE_PRECISION] = "average_precision", [F1] = "f1" };

/* The columns of one class, [n] each: scores, decisions (0 or 1), targets; hit: of a share (intervals.h). */
typedef struct class_columns { double *score, *decided; float *target, *hit; } class_columns;

/* A rate of two by two counts. Of the known samples whose target (of_decisions: whose decision) is `value`, 1 or 0: the
 * share whose decision and target are the same. */
static peft_estimate rate(const sample_set *s, const class_columns *row, bool of_decisions, int value)
{
    for (int64_t i = 0; i < s->n; i++) {
        const bool decided = row->decided[i] > 0, known = row->target[i] >= 0, truth = row->target[i] > 0;
        const bool counts = known && (of_decisions ? decided : truth) == (value > 0);
        row->hit[i] = counts ? decided == truth : -1;
    }
    return share_of_samples(s, row->hit);
}

static class_row compute_row(const sample_set *s, const class_columns *k)
{
    const peft_estimate none = { NAN, NAN, NAN, NAN, NAN, 0, 0 };
    class_row row = { 0 };
    for (int64_t i = 0; i < s->n; i++) {
        row.positive += k->target[i] > 0;
        row.negative += k->target[i] == 0;
        row.unjudged += k->target[i] < 0;
    }
    row.of[SENSITIVITY] = rate(s, k, false, 1);
    row.of[SPECIFICITY] = rate(s, k, false, 0);
    row.of[PPV] = rate(s, k, true, 1);
    row.of[NPV] = rate(s, k, true, 0);
    row.of[AUROC] = auroc_of_class(s, k->score, k->target);
    row.of[AVERAGE_PRECISION] = row.positive ? bootstrapped(s, "average_precision", k->score, k->target) : none;
    row.of[F1] = row.positive ? bootstrapped(s, "f1", k->decided, k->target) : none;
    return row;
}

class_figures compute_class_figures(peft_context *ctx, const double *scores, const float *targets, const decision *how,
                                    const peft_dataset *d)
{
    const int64_t classes = how->classes, n = peft_dataset_count(d);
    class_figures f = { .classes = classes };
    int64_t *patient = number_patients(d, &f.patients);
    const sample_set s = { ctx, n, patient };
    double *decided = check_alloc(malloc((size_t)(n * classes) * sizeof *decided));
    double *columns = check_alloc(malloc((size_t)n * 2 * sizeof *columns));
    float *more = check_alloc(malloc((size_t)n * 2 * sizeof *more));
    const class_columns k = { .score = columns, .decided = columns + n, .target = more, .hit = more + n };
    f.by_patient = patient;
    f.row = check_alloc(calloc((size_t)classes, sizeof *f.row));
    decide(how, scores, n, decided);
    for (int64_t c = 0; c < classes; c++) {
        for (int64_t i = 0; i < n; i++) {
            k.score[i] = scores[i * classes + c];
            k.decided[i] = decided[i * classes + c];
            k.target[i] = targets[i * classes + c];
        }
        f.row[c] = compute_row(&s, &k);
    }
    free(patient);
    free(decided);
    free(columns);
    free(more);
    return f;
}

peft_estimate compute_share(peft_context *ctx, const peft_dataset *d, const float *right)
{
    int64_t patients = 0, *patient = number_patients(d, &patients);
    const sample_set s = { ctx, peft_dataset_count(d), patient };
    const peft_estimate e = share_of_samples(&s, right);
    free(patient);
    return e;
}

void free_class_figures(class_figures *f) { free(f->row); }
