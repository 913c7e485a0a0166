/* SPDX-License-Identifier: Apache-2.0
 * figure.c -- looks figures up by name; see figure.h. */
#include <math.h>
#include <string.h>
#include "core/options/options.h"
#include "core/train/session/figure.h"

static const pf_figure *find(const pf_figures *f, const char *name)
{
    for (int i = 0; i < f->rows; i++) if (!strcmp(name, f->row[i].name)) return &f->row[i];
    return NULL;
}

static peft_status unknown_name(const pf_figure_owner *w, const pf_figures *f, const char *name)
{
    const char *names[PF_FIGURES_MAX];
    char text[400];
    for (int i = 0; i < f->rows; i++) names[i] = f->row[i].name;
    const char *near = pf_nearest(name, names, (size_t)f->rows);
    return pf_fail(PEFT_E_NOTFOUND, "'%.60s': %s %s has no such figure%s%s%s; expected %s", name, w->article, w->name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
                   pf_names_text(names, (size_t)f->rows, ", ", " or ", text, sizeof text));
}

/* Copies the figure called name to *row, also with PEFT_E_STATE: its value is not known yet. out: where the caller will
 * write the value; only compared with NULL. */
static peft_status get(const pf_figure_owner *w, const void *object, const char *name, const void *out, pf_figure *row)
{
    if (!object || !name || !out)
        return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !object ? w->name : !name ? "name" : "out");
    const pf_figures f = w->figures_of(object);
    const pf_figure *found = find(&f, name);
    if (!found) return unknown_name(w, &f, name);
    *row = *found;
    if (row->is_count || !isnan(row->number)) return PEFT_OK;
    return pf_fail(PEFT_E_STATE, "'%s' is not known: %s", name, row->why_unknown);
}

peft_status pf_figure_int(const pf_figure_owner *w, const void *object, const char *name, int64_t *out)
{
    pf_figure row;
    const peft_status s = get(w, object, name, out, &row);
    if (s && s != PEFT_E_STATE) return s;              /* a number is refused below, known or not */
    if (!row.is_count)
        return pf_fail(PEFT_E_DTYPE, "'%s' is a real number: ask for it by %s", name, w->get_float);
    *out = row.count;
    return PEFT_OK;
}

peft_status pf_figure_float(const pf_figure_owner *w, const void *object, const char *name, double *out)
{
    pf_figure row;
    PF_TRY(get(w, object, name, out, &row));
    *out = row.is_count ? (double)row.count : row.number;
    return PEFT_OK;
}

double pf_figure_or_nan(const pf_figure_owner *w, const void *object, const char *name)
{
    if (!object || !name) return NAN;
    const pf_figures f = w->figures_of(object);
    const pf_figure *found = find(&f, name);
    if (!found) return NAN;
    return found->is_count ? (double)found->count : found->number;
}
