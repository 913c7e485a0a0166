/* SPDX-License-Identifier: Apache-2.0
 * tuned_recipe.c -- names of --tune, and recipes with the values of a candidate (tuned_recipe.h). */
#include "tuned_recipe.h"
#include "common/flags/decimal.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lists of options of which --tune can choose single ones. */
static const struct { const char *prefix; int flag; } lists[] = {
    { "options.", recipe_options }, { "head.", recipe_head }, { "trainer.", recipe_trainer } };
enum { list_count = sizeof lists / sizeof *lists };

/* Where a setting of --tune goes: a flag, and with option the option of this name in its list. */
typedef struct target { int flag; const char *option; } target;

/* The flag whose name (with - or _) this is, from epochs to clip_norm; -1: none. */
static int training_flag(const char *name)
{
    static const flag row[] = { RECIPE_FLAGS(FLAG_ROW) };
    for (int k = recipe_epochs; k <= recipe_clip_norm; k++)
        if (!strcmp(row[k].name, name) || !strcmp(name_of_flag(&row[k]).text, name)) return k;
    return -1;
}

static target find_target(const char *name)
{
    for (int i = 0; i < list_count; i++) {
        const size_t n = strlen(lists[i].prefix);
        if (strncmp(name, lists[i].prefix, n) || !name[n]) continue;
        if (lists[i].flag == recipe_trainer && training_flag(name + n) >= 0)
            fail("--tune %s: is a flag of its own; name it %s", name, name + n);
        return (target){ lists[i].flag, name + n };
    }
    const int k = training_flag(name);
    if (k < 0)
        fail("--tune %s: is no setting that can be chosen; expected epochs, batch, lr, weight-decay, optimizer, "
             "schedule, warmup, loss, clip-norm, or options.NAME, head.NAME, trainer.NAME", name);
    return (target){ k, NULL };
}

static bool is_rate(ptrdiff_t k) { return k == recipe_lr || k == recipe_weight_decay; }

/* "x3" is three times the value of the recipe. Returns 0 for another value. */
static double multiple_of(const char *name, const char *value)
{
    char *end;
    if (*value != 'x') return 0;
    const double factor = read_decimal(value + 1, &end);
    if (end == value + 1 || *end || !(factor > 0))
        fail("--tune %s=%s: expected a decimal number behind the x, above 0, such as x0.3", name, value);
    return factor;
}

/* A setting with an option has the value of this option, others that of their flag. A value is given elsewhere if it
 * stands beside --tune or at a more specific place. */
static void check_target(const dimension *d, const flag *recipe)
{
    const target t = find_target(d->name);
    const flag *f = &recipe[t.flag], *tune = &recipe[flag_tune];
    bool relative = false, absolute = false;
    for (int64_t i = 0; i < d->values; i++) {
        const bool multiple = is_rate(t.flag) && multiple_of(d->name, d->value[i]) > 0;
        relative = relative || multiple;
        absolute = absolute || !multiple;
    }
    if (relative && absolute)
        fail("--tune %s: some values are multiples (x3) and some are not; give all in one form", d->name);
    if (relative || f->source == FROM_DEFAULT || f->source < tune->source) return;
    settings s = { 0 };
    if (t.option) s = read_settings(f->value, f->name);
    const char *value = t.option ? find_setting(&s, t.option) : f->value;
    if (value)
        fail("--tune %s: its value is given already, %s; leave that out%s", d->name, value,
             t.flag == recipe_lr ? ", or give multiples of it, such as lr=x0.3,x1,x3" : "");
    free_settings(&s);
}

void check_grid(const grid *g, const flag *f, bool probe)
{
    for (int64_t i = 0; i < g->dimensions; i++) {
        const dimension *d = &g->dimension[i];
        if (probe && find_target(d->name).flag != recipe_options)
            fail("--tune %s: a probe is not trained in steps; expected options.NAME", d->name);
        check_target(d, f);
    }
}

char *value_beside(const grid *g, const flag *recipe, int k)
{
    const char *own = recipe[k].value;
    if (!own) return NULL;
    char *text = check_alloc(strdup(own));
    for (int64_t i = 0; i < g->dimensions && text; i++) {
        const dimension *d = &g->dimension[i];
        const target t = find_target(d->name);
        if (t.flag != k || (!t.option && is_rate(k) && multiple_of(d->name, d->value[0]) > 0)) continue;
        settings s = { 0 };
        if (t.option) s = read_settings(text, recipe[k].name);
        if (t.option && !find_setting(&s, t.option)) {
            free_settings(&s);
            continue;
        }
        if (t.option) remove_setting(&s, t.option);
        free(text);
        text = s.count ? settings_text(&s) : NULL;
        free_settings(&s);
    }
    return text;
}

/* Replaces a value of the copy by text, which it keeps. */
static void set_value(flag *f, char *text)
{
    free((char *)(uintptr_t)f->value);
    f->value = text;
}

static void set_option(flag *f, const char *option, const char *value)
{
    settings s = read_settings(f->value, f->name);
    set_setting(&s, option, value);
    set_value(f, settings_text(&s));
    free_settings(&s);
}

/* The value of setting i of a candidate as text, to be freed; a multiple is computed. */
static char *resolved_value(const grid *g, int64_t candidate, int64_t i, const flag *recipe)
{
    char *end, *text;
    const char *name = g->dimension[i].name, *value = grid_value(g, candidate, i);
    const flag *f = &recipe[find_target(name).flag];
    const double factor = is_rate(f - recipe) ? multiple_of(name, value) : 0;
    if (!(factor > 0)) return check_alloc(strdup(value));
    const double base = read_decimal(f->value, &end);
    if (end == f->value || *end)
        fail("--%s: given '%s', expected a decimal number", name_of_flag(f).text, f->value);
    if (asprintf(&text, "%.6g", base * factor) < 0) fail("out of memory");
    return text;
}

void tune_recipe(const grid *g, int64_t candidate, const flag *recipe, flag *tuned)
{
    memcpy(tuned, recipe, recipe_flags * sizeof *tuned);
    for (int k = 0; k < recipe_flags; k++)
        if (tuned[k].value) tuned[k].value = check_alloc(strdup(tuned[k].value));
    for (int64_t i = 0; i < g->dimensions; i++) {
        const target t = find_target(g->dimension[i].name);
        char *value = resolved_value(g, candidate, i, recipe);
        if (!t.option) {
            set_value(&tuned[t.flag], value);
            continue;
        }
        set_option(&tuned[t.flag], t.option, value);
        free(value);
    }
}

char *candidate_text(const grid *g, int64_t candidate, const flag *recipe)
{
    settings s = { 0 };
    for (int64_t i = 0; i < g->dimensions; i++) {
        char *value = resolved_value(g, candidate, i, recipe);
        set_setting(&s, g->dimension[i].name, value);
        free(value);
    }
    char *text = settings_text(&s);
    free_settings(&s);
    return text;
}

void free_tuned(flag *tuned)
{
    for (int k = 0; k < recipe_flags; k++) free((char *)(uintptr_t)tuned[k].value);
}

int64_t first_with_model(const grid *g, int64_t candidate)
{
    for (int64_t c = 0; c < candidate; c++) {
        bool same = true;
        for (int64_t i = 0; same && i < g->dimensions; i++) {
            const int k = find_target(g->dimension[i].name).flag;
            const bool of_model = k == recipe_options || k == recipe_head;
            same = !of_model || !strcmp(grid_value(g, c, i), grid_value(g, candidate, i));
        }
        if (same) return c;
    }
    return candidate;
}
