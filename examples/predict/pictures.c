/* SPDX-License-Identifier: Apache-2.0
 * pictures.c -- the pictures that predict predicts, and what becomes of their probabilities: a line for each, or with
 * --per-case one for each case (predict.h). */
#include "predict.h"
#include "common/data/data.h"
#include "common/program/errors.h"
#include <limits.h>
#include <stdlib.h>

pictures open_pictures(peft_context *ctx, const char *data, const char *split, const char *table, char *const *path,
                       int count)
{
    pictures p = { .path = path, .count = count };
    if (!data) return p;
    if (count) fail("--data: predicts the pictures of a data set; leave '%s' out, or leave --data out", path[0]);
    if (!(p.d = open_split(ctx, data, split, table, NULL)))
        fail("--data %s: %s", data, peft_last_error());
    if (peft_dataset_count(p.d) > INT_MAX) fail("--data %s: more than %d pictures", data, INT_MAX);
    p.count = (int)peft_dataset_count(p.d);
    return p;
}

const char *picture_name(const pictures *p, int i) { return p->d ? peft_dataset_name(p->d, i) : p->path[i]; }

peft_status load_picture(peft_context *ctx, const pictures *p, int i, peft_image **out)
{
    return p->d ? peft_dataset_load(p->d, i, out) : peft_image_load(ctx, p->path[i], NULL, out);
}

void open_results(results *r, const loaded_model *s, const pictures *p, const char *per_case, bool csv)
{
    *r = (results){ .model = s, .pictures = p, .csv = csv, .per_case = per_case };
    if (!per_case) return;
    r->rule = parse_case_rule(per_case);
    if (!p->d || !peft_dataset_has_cases(p->d))
        fail("--per-case: the pictures have no cases; give --data TABLE with a column of studies (--table study=COLUMN)");
    r->scores = check_alloc(malloc((size_t)(p->count * s->classes) * sizeof *r->scores));
    r->picture = check_alloc(malloc((size_t)p->count * sizeof *r->picture));
}

void put_result(results *r, int picture, const float *p)
{
    if (!r->per_case) {
        print_line(r->model, picture_name(r->pictures, picture), p, r->csv);
        return;
    }
    for (int64_t c = 0; c < r->model->classes; c++) r->scores[r->count * r->model->classes + c] = p[c];
    r->picture[r->count++] = picture;
}

/* Prints a line for each case, with the name of the case; a picture without one is a case of its own. */
static void print_cases(const results *r)
{
    const int64_t classes = r->model->classes;
    const char **name = check_alloc(malloc((size_t)(r->count + 1) * sizeof *name));
    float *p = check_alloc(malloc((size_t)classes * sizeof *p));
    for (int64_t i = 0; i < r->count; i++) name[i] = peft_dataset_case(r->pictures->d, r->picture[i]);
    case_list c = find_cases(name, r->count);
    double *scores = aggregate_cases(&c, r->scores, r->count, classes, r->rule, r->model->multilabel);
    for (int64_t k = 0; k < c.count; k++) {
        const char *own = name[c.first[k]];
        for (int64_t i = 0; i < classes; i++) p[i] = (float)scores[k * classes + i];
        print_line(r->model, own ? own : picture_name(r->pictures, r->picture[c.first[k]]), p, r->csv);
    }
    free_cases(&c);
    free(scores);
    free(name);
    free(p);
}

void close_results(results *r)
{
    if (r->per_case) print_cases(r);
    free(r->scores);
    free(r->picture);
}
