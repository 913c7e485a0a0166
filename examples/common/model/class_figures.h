/* SPDX-License-Identifier: Apache-2.0
 * class_figures.h -- the figures of each class against the others, with 95 % confidence intervals (intervals.h). */
#ifndef CLASS_FIGURES_H
#define CLASS_FIGURES_H
#include "common/decision/decision.h"
#include <peft/io.h>
#include <peft/peft.h>
#include <stdbool.h>
#include <stdint.h>

enum { SENSITIVITY, SPECIFICITY, PPV, NPV, AUROC, AVERAGE_PRECISION, F1, CLASS_FIGURES };
extern const char *const class_figure_name[CLASS_FIGURES];    /* "sensitivity" */
/* positive, negative, unjudged: samples that have the class, do not have it, or of which it is not known. A figure that
 * does not exist for lack of samples is NaN, and so are the ends of an interval that does not exist. */
typedef struct class_row { int64_t positive, negative, unjudged; peft_estimate of[CLASS_FIGURES]; } class_row;
/* row [classes]. by_patient: the patients of the samples are known, and intervals are by patient. */
typedef struct class_figures { int64_t classes, patients; bool by_patient; class_row *row; } class_figures;

/* scores, targets: [count, classes]. To be freed by free_class_figures. */
class_figures compute_class_figures(peft_context *ctx, const double *scores, const float *targets, const decision *how,
                                    const peft_dataset *d);
void free_class_figures(class_figures *f);
/* The share of right decisions, right [count] (0 or 1), with its interval. */
peft_estimate compute_share(peft_context *ctx, const peft_dataset *d, const float *right);

/* --- class_figures_print.c --- */
/* Prints the figures of all classes; of several labels also how many samples have each, have it not, and are not
 * judged, and its threshold. unit: "images" or "cases". */
void print_class_figures(const class_figures *f, const decision *how, const peft_dataset *d, const char *unit);
void print_estimate(const peft_estimate *e);                  /* "0.9091 [0.7219, 0.9747]" */
#endif
