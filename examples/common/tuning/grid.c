/* SPDX-License-Identifier: Apache-2.0
 * grid.c -- parses the list of --tune (grid.h). */
#include "grid.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include <stdlib.h>
#include <string.h>

static void add_value(dimension *d, char *value)
{
    if (!*value) fail("--tune: %s has an empty value; expected %s=VALUE,VALUE,...", d->name, d->name);
    for (int64_t i = 0; i < d->values; i++)
        if (!strcmp(d->value[i], value)) fail("--tune: %s has the value %s twice; give it once", d->name, value);
    d->value = grow_by_one(d->value, d->values, sizeof *d->value);
    d->value[d->values++] = value;
}

grid read_grid(const char *text)
{
    settings s = read_settings(text, "--tune");
    grid g = { check_alloc(calloc((size_t)s.count + 1, sizeof *g.dimension)), s.count };
    int64_t candidates = 1;
    if (text && !s.count) fail("--tune: names no setting; expected NAME=VALUE,VALUE,..., such as lr=1e-3,1e-2");
    for (int i = 0; i < s.count; i++) {
        dimension *d = &g.dimension[i];
        const char *rest = s.item[i].value;
        d->name = check_alloc(strdup(s.item[i].name));
        if (!*rest) fail("--tune: %s has no value; expected %s=VALUE,VALUE,...", d->name, d->name);
        while (*rest) add_value(d, next_piece(&rest, ","));
        candidates *= d->values;
        if (candidates > most_candidates)
            fail("--tune: has more than %d combinations; give fewer values", most_candidates);
    }
    free_settings(&s);
    return g;
}

void free_grid(grid *g)
{
    for (int64_t i = 0; i < g->dimensions; i++) {
        dimension *d = &g->dimension[i];
        for (int64_t k = 0; k < d->values; k++) free(d->value[k]);
        free(d->value);
        free(d->name);
    }
    free(g->dimension);
    *g = (grid){ 0 };
}

int64_t grid_size(const grid *g)
{
    int64_t n = 1;
    for (int64_t i = 0; i < g->dimensions; i++) n *= g->dimension[i].values;
    return n;
}

const char *grid_value(const grid *g, int64_t candidate, int64_t dimension)
{
    for (int64_t i = g->dimensions - 1; i > dimension; i--) candidate /= g->dimension[i].values;
    return g->dimension[dimension].value[candidate % g->dimension[dimension].values];
}
