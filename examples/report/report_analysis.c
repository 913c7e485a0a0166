/* SPDX-License-Identifier: Apache-2.0
 * report_analysis.c -- reads what compare --analysis found of a run (records.h). */
#include "common/program/errors.h"
#include "report_study.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of the first file, fields of a row of the three files. mass_fields: those before the tokens, whose number is
 * limited so that read_rows can hold a row. */
enum { space_rows = 2 * space_numbers + 3, space_fields = 2, map_fields = 5, mass_fields = 2, most_tokens = 4000,
       most_blocks = 1000 };

/* The place of the number `name` ("silhouette") in numbers; NULL: there is no number of this name. */
static double *number_of(double *numbers, const char *name)
{
    static const char *const names[space_numbers] = { "intra_scatter", "inter_scatter", "silhouette",
                                                      "effective_rank", "map_share" };
    for (int k = 0; k < space_numbers; k++)
        if (!strcmp(name, names[k])) return &numbers[k];
    return NULL;
}

static void store_space(const study *s, run *r, int64_t row, char **field, const char *path)
{
    analysis *a = &r->analysis;
    double *number = NULL;
    (void)s;
    (void)row;
    if (!strncmp(field[0], "before_", 7)) number = number_of(a->before, field[0] + 7);
    if (!strncmp(field[0], "after_", 6)) number = number_of(a->after, field[0] + 6);
    if (number) *number = number_or_nan(field[1], path);
    else if (!strcmp(field[0], "tokens")) a->tokens = whole_number(field[1], most_tokens, path);
    else if (!strcmp(field[0], "prefix_tokens")) a->prefix = whole_number(field[1], most_tokens, path);
    else if (!strcmp(field[0], "transform")) a->transform = field[1];
}

static void store_map(const study *s, run *r, int64_t row, char **field, const char *path)
{
    enum { coordinates = map_fields - 1 };
    analysis *a = &r->analysis;
    (void)s;
    if (row >= r->images || whole_number(field[0], INT64_MAX, path) != row) fail_malformed(path);
    a->map = grow_by_one(a->map, row, coordinates * sizeof *a->map);
    for (int k = 0; k < coordinates; k++) a->map[row * coordinates + k] = number_or_nan(field[1 + k], path);
}

static void store_mass(const study *s, run *r, int64_t row, char **field, const char *path)
{
    analysis *a = &r->analysis;
    const size_t tokens = (size_t)a->tokens;
    (void)s;
    a->mass_image = grow_by_one(a->mass_image, row, sizeof *a->mass_image);
    a->mass_block = grow_by_one(a->mass_block, row, sizeof *a->mass_block);
    a->mass = grow_by_one(a->mass, row, tokens * sizeof *a->mass);
    a->mass_image[row] = strcmp(field[0], "mean") ? whole_number(field[0], r->images, path) : MEAN_IMAGE;
    a->mass_block[row] = whole_number(field[1], most_blocks, path);
    for (size_t k = 0; k < tokens; k++) {
        const double share = number_or_nan(field[mass_fields + k], path);
        if (!(share >= 0 && share <= 1.0001)) fail_malformed(path);   /* rounding in f32 may exceed 1 */
        a->mass[(size_t)row * tokens + k] = share;
    }
    a->masses = row + 1;
}

static void read_analysis(const study *s, const method *m, run *r)
{
    analysis *a = &r->analysis;
    for (int k = 0; k < space_numbers; k++) a->before[k] = a->after[k] = NAN;
    a->known = read_rows(s, m, r, &a->text[0], "space", space_fields, space_rows, store_space) &&
               a->tokens > a->prefix && a->transform &&
               read_rows(s, m, r, &a->text[1], "map", map_fields, r->images, store_map) &&
               read_rows(s, m, r, &a->text[2], "mass", mass_fields + (int)a->tokens, 0, store_mass);
}

void read_analyses(study *s)
{
    for (int64_t m = 0; m < s->methods; m++)
        for (int64_t i = 0; i < s->runs; i++)
            if (s->method[m].run[i].done) read_analysis(s, &s->method[m], &s->method[m].run[i]);
}

void free_analyses(study *s)
{
    for (int64_t m = 0; m < s->methods; m++)
        for (int64_t i = 0; i < s->runs; i++) {
            const analysis *a = &s->method[m].run[i].analysis;
            void *owned[] = { a->map, a->mass_image, a->mass_block, a->mass, a->text[0], a->text[1], a->text[2] };
            for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) free(owned[k]);
        }
}
