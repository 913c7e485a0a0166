/* SPDX-License-Identifier: Apache-2.0
 * evaluate.c -- computes and prints classification metrics (evaluate.h). */
#include "evaluate.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Labels and decisions of n samples. predicted and confusion are filled for one label per image only. */
struct outcomes {
    int64_t n, classes;
    float *targets;                                           /* [n, classes]; -1: unknown */
    int64_t *labels, *predicted;                              /* [n] each, in one block of memory */
    int64_t *confusion;                                       /* [classes, classes]: true class, predicted class */
};

/* Compares the probabilities `scores` [n, classes] of all samples with their labels. */
static outcomes find_outcomes(const double *scores, const peft_dataset *d, const decision *how)
{
    outcomes o = { peft_dataset_count(d), peft_dataset_classes(d), NULL, NULL, NULL, NULL };
    o.targets = check_alloc(malloc((size_t)(o.n * o.classes) * sizeof *o.targets));
    o.labels = check_alloc(malloc((size_t)o.n * 2 * sizeof *o.labels));
    o.predicted = o.labels + o.n;
    o.confusion = check_alloc(calloc((size_t)(o.classes * o.classes), sizeof *o.confusion));
    for (int64_t i = 0; i < o.n; i++) {
        must(peft_dataset_targets(d, i, o.targets + i * o.classes));
        o.labels[i] = peft_dataset_label(d, i);
    }
    if (peft_dataset_multilabel(d)) return o;
    for (int64_t i = 0; i < o.n; i++) o.predicted[i] = decided_class(how, scores + i * o.classes);
    must(peft_metrics_confusion(o.labels, o.predicted, o.n, o.classes, o.confusion));
    return o;
}

static void free_outcomes(outcomes *o)
{
    free(o->targets);
    free(o->labels);
    free(o->confusion);
}

/* Metrics that are not defined for the kind of data set stay NaN. The last argument of the calls, 1, is the number of
 * values of the metric. */
static void fill_metrics(peft_context *ctx, const double *scores, const peft_dataset *d, const outcomes *o,
                         const decision *how, metrics *m)
{
    const int64_t n = o->n, classes = o->classes;
    *m = (metrics){ .images = n, .accuracy = NAN, .balanced_accuracy = NAN, .f1_macro = NAN, .auroc_macro = NAN,
                    .map = NAN };
    if (peft_dataset_multilabel(d)) {
        must(peft_metrics_multilabel_at(scores, o->targets, n, classes, how->thresholds, "f1_macro", &m->f1_macro, 1));
        must(peft_metrics_ranking(ctx, scores, o->targets, n, classes, "map", &m->map, 1));
    } else {
        must(peft_metrics_decision(o->confusion, classes, "accuracy", &m->accuracy, 1));
        must(peft_metrics_decision(o->confusion, classes, "balanced_accuracy", &m->balanced_accuracy, 1));
        must(peft_metrics_decision(o->confusion, classes, "f1_macro", &m->f1_macro, 1));
    }
    must(peft_metrics_ranking(ctx, scores, o->targets, n, classes, "auroc_macro", &m->auroc_macro, 1));
}

void compute_metrics(peft_context *ctx, const double *scores, const peft_dataset *d, metrics *m)
{
    decision plain = plain_decision(peft_dataset_classes(d), peft_dataset_multilabel(d));
    outcomes o = find_outcomes(scores, d, &plain);
    fill_metrics(ctx, scores, d, &o, &plain, m);
    free_outcomes(&o);
    free_decision(&plain);
}

static void print_confusion(const outcomes *o, const peft_dataset *d)
{
    printf("confusion matrix: rows are true classes, columns predicted classes in the same order\n");
    for (int64_t r = 0; r < o->classes; r++) {
        printf("  %-20s", peft_dataset_class_name(d, r));
        for (int64_t c = 0; c < o->classes; c++) printf(" %6lld", (long long)o->confusion[r * o->classes + c]);
        putchar('\n');
    }
}

/* Metrics of several labels, each for all labels together. */
static void print_multilabel(peft_context *ctx, const double *scores, const outcomes *o, const decision *how,
                             const metrics *m)
{
    static const char *const decided[] = { "f1_micro", "precision_macro", "precision_micro", "recall_macro",
                                           "recall_micro", "subset_accuracy" };
    const int64_t entries = o->n * o->classes, one_class = 1;
    double value;
    printf("%-22s %.4f\n", "f1_macro", m->f1_macro);
    for (size_t i = 0; i < sizeof decided / sizeof *decided; i++) {
        must(peft_metrics_multilabel_at(scores, o->targets, o->n, o->classes, how->thresholds, decided[i], &value, 1));
        printf("%-22s %.4f\n", decided[i], value);
    }
    must(peft_metrics_ranking(ctx, scores, o->targets, entries, one_class, "average_precision", &value, 1));
    printf("%-22s %.4f\n%-23s %.4f\n", "map", m->map, "average_precision_micro", value);
    must(peft_metrics_ranking(ctx, scores, o->targets, o->n, o->classes, "auroc_micro", &value, 1));
    printf("%-22s %.4f\n", "auroc_micro", value);
}

/* Warns of classes that no sample has: figures that are means over classes leave them out. */
static void warn_of_missing(const outcomes *o, const peft_dataset *d)
{
    for (int64_t c = 0; c < o->classes; c++) {
        int64_t i = 0;
        while (i < o->n && o->labels[i] != c) i++;
        if (i == o->n)
            warn("no judged image is '%s': the balanced accuracy is the mean over the other classes",
                 peft_dataset_class_name(d, c));
    }
}

static void print_one_label(const figures *f)
{
    printf("%-22s %.4f\n%-22s ", "accuracy", f->m.accuracy, "accuracy_interval");
    print_estimate(&f->accuracy);
    printf("\n%-22s %.4f\n%-22s %.4f\n", "balanced_accuracy", f->m.balanced_accuracy, "f1_macro", f->m.f1_macro);
}

/* Says which threshold decides, where the most probable class does not. */
static void print_threshold(const decision *how, const peft_dataset *d)
{
    if (how->thresholds && !how->multilabel)
        printf("decisions: %s where its probability is at least %.9g, else %s (%s%s%s)\n",
               peft_dataset_class_name(d, how->positive), how->thresholds[how->positive],
               peft_dataset_class_name(d, 1 - how->positive), how->rule, how->set ? ", chosen on " : "",
               how->set ? how->set : "");
    else if (how->set) printf("thresholds: %s, chosen on %s\n", how->rule, how->set);
}

figures compute_figures(peft_context *ctx, const double *scores, const peft_dataset *d, const decision *how)
{
    figures f = { .outcomes = check_alloc(malloc(sizeof *f.outcomes)) };
    outcomes *o = f.outcomes;
    *o = find_outcomes(scores, d, how);
    fill_metrics(ctx, scores, d, o, how, &f.m);
    f.of_classes = compute_class_figures(ctx, scores, o->targets, how, d);
    if (peft_dataset_multilabel(d)) return f;
    float *right = check_alloc(malloc((size_t)o->n * sizeof *right));
    for (int64_t i = 0; i < o->n; i++) right[i] = o->predicted[i] == o->labels[i];
    f.accuracy = compute_share(ctx, d, right);
    f.confusion = o->confusion;
    free(right);
    return f;
}

void free_figures(figures *f)
{
    free_outcomes(f->outcomes);
    free(f->outcomes);
    free_class_figures(&f->of_classes);
}

void print_figures(peft_context *ctx, const figures *f, const double *scores, const peft_dataset *d,
                   const decision *how, const char *set, const char *unit)
{
    char count[40];
    print_threshold(how, d);
    if (f->confusion) print_confusion(f->outcomes, d);
    print_class_figures(&f->of_classes, how, d, unit);
    snprintf(count, sizeof count, "%s_%s", set, unit);
    printf("%-22s %lld\n", count, (long long)f->m.images);
    if (f->confusion) warn_of_missing(f->outcomes, d), print_one_label(f);
    else print_multilabel(ctx, scores, f->outcomes, how, &f->m);
    printf("%-22s %.4f\n", "auroc_macro", f->m.auroc_macro);
}

void print_metrics(peft_context *ctx, const double *scores, const peft_dataset *d, const decision *how,
                   const char *set, const char *unit)
{
    figures f = compute_figures(ctx, scores, d, how);
    print_figures(ctx, &f, scores, d, how, set, unit);
    free_figures(&f);
}
