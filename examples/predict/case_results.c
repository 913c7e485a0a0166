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
             "study=COLUMN), a folder of DICOM series, or --all-slices for files of several pictures");
    r.scores = check_alloc(malloc((size_t)(in->count * t->model->classes) * sizeof *r.scores));
    r.known = check_alloc(calloc((size_t)in->count, sizeof *r.known));
    return r;
}

void add_result(results *r, int64_t picture, const float *p)
{
    const int64_t classes = r->table->model->classes;
    if (!r->by_case) {
        add_to_table(r->table, &(prediction){ .name = input_name(r->in, picture), .probabilities = p });
        return;
    }
    for (int64_t c = 0; c < classes; c++) r->scores[picture * classes + c] = p[c];
    r->known[picture] = true;
}

/* Says on standard error what a case lacks. */
static void warn_of_failed(const prediction *p)
{
    if (!p->failed) return;
    fflush(stdout);
    if (!p->slices)
        warn("case '%s': none of its slices could be predicted (%lld); its line has no probabilities", p->name,
             (long long)p->failed);
    else
        warn("case '%s': %lld of %lld slices could not be predicted; its line is of the others alone", p->name,
             (long long)p->failed, (long long)(p->slices + p->failed));
}

/* A picture without a case is one of its own, with the name of the picture. */
static void add_cases(const results *r)
{
    const int64_t classes = r->table->model->classes, pictures = r->in->count;
    const char **name = check_alloc(malloc((size_t)pictures * sizeof *name));
    float *p = check_alloc(malloc((size_t)classes * sizeof *p));
    for (int64_t i = 0; i < pictures; i++) name[i] = input_case(r->in, i);
    case_list c = find_cases(name, r->known, pictures);
    double *scores = aggregate_cases(&c, r->scores, r->known, pictures, classes, r->rule, r->table->model->multilabel);
    for (int64_t k = 0; k < c.count; k++) {
        const char *own = name[c.first[k]];
        prediction line = { .name = own ? own : input_name(r->in, c.first[k]), .slices = c.slices[k],
                            .failed = c.failed[k], .probabilities = c.slices[k] ? p : NULL };
        for (int64_t i = 0; i < classes; i++) p[i] = (float)scores[k * classes + i];
        warn_of_failed(&line);
        add_to_table(r->table, &line);
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
    free(r->known);
}
