/* SPDX-License-Identifier: Apache-2.0
 * class_figures.h -- prints the figures of each class against the others, with 95 % confidence intervals. */
#ifndef CLASS_FIGURES_H
#define CLASS_FIGURES_H
#include "common/decision/decision.h"
#include <peft/io.h>
#include <peft/peft.h>
#include <stdint.h>

/* Prints for each class sensitivity, specificity, positive and negative predictive value, AUROC, average precision and
 * F1 with intervals (common/decision/intervals.h), by patients where d knows them; of several labels also how many
 * samples have each, have it not, and are not judged, and its threshold. scores, targets: [count, classes]. unit:
 * "images" or "cases". */
void print_class_figures(peft_context *ctx, const double *scores, const float *targets, const decision *how,
                         const peft_dataset *d, const char *unit);
/* Prints the share of right decisions, right [count] (0 or 1), with its interval: "0.9091 [0.7219, 0.9747]". */
void print_share(peft_context *ctx, const peft_dataset *d, const float *right);
#endif
