/* SPDX-License-Identifier: Apache-2.0
 * mean_figures.h -- means of figures of masks over cases, by class and over classes, with 95 % bootstrap intervals that
 * resample patients where they are known, else cases; printed and recorded. */
#ifndef MEAN_FIGURES_H
#define MEAN_FIGURES_H
#include "case_figures.h"
#include "common/record/json_write.h"
#include <peft/peft.h>

/* A mean over `cases` cases: those where the figure is defined, and for distances finite and in the unit of the table.
 * infinite: cases where only one of both masks has the class. other_unit: cases whose distances are in pixels, while
 * those of others are in millimetres. For the mean of classes infinite and other_unit count pairs of a case and a
 * class, and cases counts the cases where at least one class counts. */
typedef struct mean_figure { peft_estimate e; int64_t cases, infinite, other_unit; } mean_figure;
typedef struct mean_figures {
    const case_table *of;
    bool by_patient, millimetres;                             /* the unit of the distances */
    mean_figure *figure[CASE_KINDS];                          /* [classes + 1]; last: the mean of all classes but the
                                                               * first, the background; of a single class that one */
} mean_figures;
/* f has cases, and is borrowed. */
mean_figures estimate_means(peft_context *ctx, const case_table *f);
void         free_means(mean_figures *m);
/* mean_text.c: prints a table for each figure, what is left out of its means, and the means of classes as test_dice and
 * so on. prefix: what stands before these names, "test_". */
void         print_means(FILE *f, const mean_figures *m, const char *prefix);
/* mean_record.c: an object `name` of a training record with the means, and the figures of each case; null if f has no
 * cases. */
void         record_means(json_writer *w, const char *name, peft_context *ctx, const case_table *f);
#endif
