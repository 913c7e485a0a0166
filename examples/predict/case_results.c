/* SPDX-License-Identifier: Apache-2.0
 * case_results.c -- probabilities of pictures become lines of the table, or with --per-case those of each case
 * (predict.h). */
#include "predict.h"
#include "common/program/errors.h"
#include <stdlib.h>

static bool has_cases(const inputs *in)
{
    bool any = false;
    for (int64_t k = 0; k < in->sets; k++) any |= peft_dataset_has_cases(in->set[k]) != 0;
    return any;
}

results open_results(prediction_table *t, const inputs *in, const char *per_case)
{
    results r = { .table = t, .in = in, .by_case = per_case != NULL };
    if (!per_case) return r;
    r.rule = parse_case_rule(per_case);
    if (!has_cases(in))
        fail("--per-case: the pictures have no cases; give --data TABLE with a column of studies (--table "
             "study=COLUMN)");
    r.scores = check_alloc(malloc((size_t)(in->count * t->model->classes) * sizeof *r.scores));
    r.picture = check_alloc(malloc((size_t)in->count * sizeof *r.picture));
    return r;
}

void add_result(results *r, int64_t picture, const float *p)
{
    const int64_t classes = r->table->model->classes;
    if (!r->by_case) {
        add_to_table(r->table, input_name(r->in, picture), p);
        return;
    }
    for (int64_t c = 0; c < classes; c++) r->scores[r->count * classes + c] = p[c];
    r->picture[r->count++] = picture;
}

/* A picture without a case is one of its own, with the name of the picture. */
static void add_cases(const results *r)
{
    const int64_t classes = r->table->model->classes;
    const char **name = check_alloc(malloc((size_t)(r->count + 1) * sizeof *name));
    float *p = check_alloc(malloc((size_t)classes * sizeof *p));
    for (int64_t i = 0; i < r->count; i++) name[i] = input_case(r->in, r->picture[i]);
    case_list c = find_cases(name, r->count);
    double *scores = aggregate_cases(&c, r->scores, r->count, classes, r->rule, r->table->model->multilabel);
    for (int64_t k = 0; k < c.count; k++) {
        const char *own = name[c.first[k]];
        for (int64_t i = 0; i < classes; i++) p[i] = (float)scores[k * classes + i];
        add_to_table(r->table, own ? own : input_name(r->in, r->picture[c.first[k]]), p);
    }
    free_cases(&c);
    free(scores);
    free(name);
    free(p);
}

void close_results(results *r, bool complete)
{
    if (r->by_case && complete) add_cases(r);
    free(r->scores);
    free(r->picture);
}
