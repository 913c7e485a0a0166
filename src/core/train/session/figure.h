/* SPDX-License-Identifier: Apache-2.0
 * figure.h -- figures by name, such as "loss" and "planned_bytes", of a trainer or an adaptor: search in a table, and
 * the errors of the functions that return one. */
#ifndef PF_FIGURE_H
#define PF_FIGURE_H
#include "core/base/context.h"

/* A figure is a count, or a number, which is NaN until it is known. why_unknown: the reason in that case, for the
 * message. */
typedef struct pf_figure {
    const char *name;
    bool is_count;
    int64_t count;
    double number;
    const char *why_unknown;
} pf_figure;
#define PF_COUNT(figure, value) { .name = figure, .is_count = true, .count = (int64_t)(value) }
#define PF_NUMBER(figure, value, reason) { .name = figure, .is_count = false, .number = value, .why_unknown = reason }

enum { PF_FIGURES_MAX = 24 };
/* The figures of an object at present. */
typedef struct pf_figures { pf_figure row[PF_FIGURES_MAX]; int rows; } pf_figures;
/* What has figures. For messages: name ("trainer"), its article ("a"), and get_float, the function that returns
 * numbers. */
typedef struct pf_figure_owner {
    const char *article, *name, *get_float;
    pf_figures (*figures_of)(const void *object);
} pf_figure_owner;

/* PEFT_E_INVALID: object, name or out is NULL; PEFT_E_NOTFOUND lists all names; PEFT_E_STATE: not known yet;
 * PEFT_E_DTYPE: an integer was asked for, and the figure is a number. */
peft_status pf_figure_int(const pf_figure_owner *w, const void *object, const char *name, int64_t *out);
peft_status pf_figure_float(const pf_figure_owner *w, const void *object, const char *name, double *out);
/* NaN: a NULL, no such figure, or not known yet. */
double      pf_figure_or_nan(const pf_figure_owner *w, const void *object, const char *name);
#endif
