/* SPDX-License-Identifier: Apache-2.0
 * figures.c -- the figures of a trainer by name, for peft_trainer_get, peft_trainer_get_int and
 * peft_trainer_get_float. */
#include <math.h>
#include <string.h>
#include "core/options/options.h"
#include "core/train/trainer.h"

/* A figure is a count, or a number, which is NaN until it is known. why_unknown: the reason in that case, for the
 * message. */
typedef struct figure {
    const char *name;
    bool is_count;
    int64_t count;
    double number;
    const char *why_unknown;
} figure;
enum { FIGURES = 13 };
#define COUNT(figure, value) { .name = figure, .is_count = true, .count = (int64_t)(value) }
#define NUMBER(figure, value, reason) { .name = figure, .is_count = false, .number = value, .why_unknown = reason }

/* Writes the present values of all figures to rows. */
static void fill_figures(const peft_trainer *t, figure rows[FIGURES])
{
    const figure all[FIGURES] = {
        NUMBER("loss", t->last_loss, "no backward pass since the trainer was made, or the loss of the last one was "
               "NaN"),
        NUMBER("lr", t->last_lr, "no update since the trainer was made"),
        NUMBER("grad_norm", t->last_norm, "no update since the trainer was made, or the gradients of the last one held "
               "NaN"),
        COUNT("step", t->step), COUNT("epoch", t->epoch), COUNT("batch_in_epoch", t->batch_in_epoch),
        COUNT("samples", t->samples),
        NUMBER("step_seconds", t->seconds > 0 ? t->seconds : NAN, "no backward pass since the trainer was made"),
        COUNT("planned_bytes", pf_trainer_bytes(t)), COUNT("arena_bytes", t->arena_bytes),
        COUNT("flops", t->net.exec.flops), COUNT("cache_hits", t->cache.hits),
        COUNT("cache_samples", t->cache.records ? t->cache.records->count : 0) };
    memcpy(rows, all, sizeof all);
}

static const figure *find(const figure all[FIGURES], const char *name)
{
    for (int i = 0; i < FIGURES; i++) if (!strcmp(name, all[i].name)) return &all[i];
    return NULL;
}

static peft_status unknown_name(const figure all[FIGURES], const char *name)
{
    const char *names[FIGURES];
    char text[200];
    for (int i = 0; i < FIGURES; i++) names[i] = all[i].name;
    const char *near = pf_nearest(name, names, FIGURES);
    return pf_fail(PEFT_E_NOTFOUND, "'%.60s': a trainer has no such figure%s%s%s; expected %s", name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
                   pf_names_text(names, FIGURES, ", ", " or ", text, sizeof text));
}

/* Copies the figure called name to *row. PEFT_E_STATE: its value is not known yet; *row is set all the same. out: where
 * the caller will write the value; only compared with NULL. */
static peft_status get_figure(const peft_trainer *t, const char *name, const void *out, figure *row)
{
    figure all[FIGURES];
    if (!t || !name || !out)
        return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !t ? "trainer" : !name ? "name" : "out");
    fill_figures(t, all);
    const figure *f = find(all, name);
    if (!f) return unknown_name(all, name);
    *row = *f;
    if (f->is_count || !isnan(f->number)) return PEFT_OK;
    return pf_fail(PEFT_E_STATE, "'%s' is not known: %s", name, f->why_unknown);
}

peft_status peft_trainer_get_int(const peft_trainer *t, const char *name, int64_t *out)
{
    figure f;
    const peft_status s = get_figure(t, name, out, &f);
    if (s && s != PEFT_E_STATE) return s;              /* a number is refused below, known or not */
    if (!f.is_count)
        return pf_fail(PEFT_E_DTYPE, "'%s' is a real number: ask for it by peft_trainer_get_float", name);
    *out = f.count;
    return PEFT_OK;
}

peft_status peft_trainer_get_float(const peft_trainer *t, const char *name, double *out)
{
    figure f;
    PF_TRY(get_figure(t, name, out, &f));
    *out = f.is_count ? (double)f.count : f.number;
    return PEFT_OK;
}

double peft_trainer_get(const peft_trainer *t, const char *name)
{
    figure all[FIGURES];
    if (!t || !name) return NAN;
    fill_figures(t, all);
    const figure *f = find(all, name);
    if (!f) return NAN;
    return f->is_count ? (double)f->count : f->number;
}
