/* SPDX-License-Identifier: Apache-2.0
 * pairs.c -- finds the images that two methods predicted in the same runs (pairs.h). */
#include "pairs.h"
#include "common/cases/cases.h"
#include "common/program/errors.h"
#include "common/segment/figures/case_means.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool comparable(const method *a, const method *b, int64_t i)
{
    const run *x = &a->run[i], *y = &b->run[i];
    if (!x->done || !y->done || x->images != y->images) return false;
    for (int64_t k = 0; k < x->images; k++)
        if (strcmp(x->name[k], y->name[k]) || x->label[k] != y->label[k]) return false;
    return true;
}

/* Copies the scores of a run. Rounded probabilities of a record may lie a little above 1. */
static void copy_scores(double *to, const study *s, const run *r, int64_t classes)
{
    const int64_t before = s->classes - classes;              /* classes that do not count */
    const double *from = s->masks ? r->cases.value[CASE_DICE] : r->score;
    for (int64_t i = 0; i < r->images; i++)
        for (int64_t c = 0; c < classes; c++) {
            const double v = from[i * s->classes + before + c];
            to[i * classes + c] = v > 1 ? 1 : v;              /* NaN stays: a Dice that is not defined */
        }
}

bool study_has_patients(const study *s)
{
    for (int64_t m = 0; m < s->methods; m++)
        for (int64_t i = 0; i < s->runs; i++)
            if (s->method[m].run[i].done && !s->method[m].run[i].has_patients) return false;
    return true;
}

const char *drawn_units(const study *s) { return study_has_patients(s) ? "patients" : study_unit(s); }

const char *unit_of_distances(const study *s)
{
    bool millimetres = false;
    for (int64_t m = 0; m < s->methods; m++)
        for (int64_t i = 0; i < s->runs; i++)
            millimetres |= any_millimetres(&s->method[m].run[i].cases);
    return millimetres ? "mm" : "px";
}

pairs find_pairs(const study *s, const method *best, const method *other, bool patients)
{
    pairs p = { .classes = s->masks ? s->classes - first_counted_class(s->classes) : s->classes };
    for (int64_t i = 0; i < s->runs; i++) if (comparable(best, other, i)) p.n += best->run[i].images;
    const size_t n = (size_t)p.n + 1, cells = n * (size_t)p.classes;
    const char **name = check_alloc(malloc(n * sizeof *name));
    p.best = check_alloc(malloc(cells * sizeof *p.best));
    p.other = check_alloc(malloc(cells * sizeof *p.other));
    p.label = check_alloc(malloc(n * sizeof *p.label));
    p.group = check_alloc(malloc(n * sizeof *p.group));
    int64_t at = 0;
    for (int64_t i = 0; i < s->runs; i++) {
        if (!comparable(best, other, i)) continue;
        const run *r = &best->run[i];
        p.runs++;
        copy_scores(p.best + at * p.classes, s, r, p.classes);
        copy_scores(p.other + at * p.classes, s, &other->run[i], p.classes);
        for (int64_t k = 0; k < r->images; k++, at++) {
            name[at] = patients && r->patient[k] ? r->patient[k] : r->name[k];
            p.label[at] = r->label[k];
        }
    }
    case_list groups = find_cases(name, NULL, p.n);
    memcpy(p.group, groups.of, (size_t)p.n * sizeof *p.group);
    p.groups = groups.count;
    free_cases(&groups);
    free(name);
    return p;
}

void free_pairs(pairs *p)
{
    free(p->best);
    free(p->other);
    free(p->label);
    free(p->group);
}

double run_difference(const study *s, const method *best, const method *other, int64_t i)
{
    const run *x = &best->run[i], *y = &other->run[i];
    double sum = 0;
    int64_t defined = 0;
    if (!s->masks) return y->value[ranking(s)->column] - x->value[ranking(s)->column];
    for (int64_t c = first_counted_class(s->classes); c < s->classes; c++) {
        double of_class = 0;
        int64_t n = 0;
        for (int64_t k = 0; k < x->images; k++) {
            const int64_t at = k * s->classes + c;
            const double d = y->cases.value[CASE_DICE][at] - x->cases.value[CASE_DICE][at];
            if (!isnan(d)) of_class += d, n++;
        }
        if (n) sum += of_class / (double)n, defined++;
    }
    return defined ? sum / (double)defined : NAN;
}

peft_samples samples_of_pairs(const study *s, const pairs *p, bool differs)
{
    return (peft_samples){ .n = p->n, .classes = p->classes, .scores = p->other, .others = differs ? p->best : NULL,
                           .labels = s->masks ? NULL : p->label, .groups = p->group };
}
