/* SPDX-License-Identifier: Apache-2.0
 * evaluate.h -- metrics of predictions of images whose labels are known; used by finetune and compare. */
#ifndef EVALUATE_H
#define EVALUATE_H
#include "class_figures.h"
#include "common/decision/decision.h"
#include <peft/io.h>
#include <peft/peft.h>
#include <stdint.h>

/* Metrics of probabilities `scores` [count, classes]. accuracy and balanced_accuracy are NaN for several labels per
 * image, map (mean average precision) is NaN for one label per image; undefined metrics are NaN. Decisions are those of
 * plain_decision. */
typedef struct metrics { int64_t images; double accuracy, balanced_accuracy, f1_macro, auroc_macro, map; } metrics;
void compute_metrics(peft_context *ctx, const double *scores, const peft_dataset *d, metrics *m);

/* Figures of the decisions that `how` makes, computed once to be printed and recorded. accuracy and confusion are of
 * one label for each image; of several labels confusion is NULL. */
typedef struct outcomes outcomes;
typedef struct figures {
    metrics m;
    peft_estimate accuracy;                                   /* with its interval */
    const int64_t *confusion;                                 /* [classes, classes]: true class, predicted class */
    class_figures of_classes;
    outcomes *outcomes;                                       /* labels and decisions of all samples */
} figures;
figures compute_figures(peft_context *ctx, const double *scores, const peft_dataset *d, const decision *how);
void    free_figures(figures *f);
/* Prints the confusion matrix (one label per image), the figures of each class (class_figures.h) and the metrics.
 * scores and the others: as for compute_figures. set: what d is, "test" or "training", for the line with the count of
 * samples; unit: what a sample of d is, "images" or "cases". */
void print_figures(peft_context *ctx, const figures *f, const double *scores, const peft_dataset *d,
                   const decision *how, const char *set, const char *unit);
/* Computes and prints the figures. */
void print_metrics(peft_context *ctx, const double *scores, const peft_dataset *d, const decision *how,
                   const char *set, const char *unit);
#endif
