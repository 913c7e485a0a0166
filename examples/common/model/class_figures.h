/* SPDX-License-Identifier: Apache-2.0
 * class_figures.h -- prints the figures of each class against the others, with 95 % confidence intervals. */
#ifndef CLASS_FIGURES_H
#define CLASS_FIGURES_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdint.h>

/* Prints sensitivity, specificity, positive and negative predictive value (intervals after Wilson, 1927) and the AUROC
 * (after DeLong; by patients where d knows them) of each class. scores, targets: [count, classes]. predicted [count]:
 * the decisions; NULL: those of several labels, by the threshold 0.5. unit: "images" or "cases". */
void print_class_figures(peft_context *ctx, const double *scores, const float *targets, const int64_t *predicted,
                         const peft_dataset *d, const char *unit);
/* Prints k/n and its interval after Wilson: "0.9091 [0.7219, 0.9747]", or "-" for n = 0. */
void print_share(int64_t k, int64_t n);
#endif
