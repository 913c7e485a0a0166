/* SPDX-License-Identifier: Apache-2.0
 * case_results.c -- probabilities of pictures become lines of the table, or with --per-case those of each case
 * (predict.h). */
#include "predict.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

void check_has_cases(peft_context *ctx, const inputs *in)
{
    const char *first = input_name(in, 0), *in_zip = strcasestr(first, ".zip/");
    peft_dicom_header *h;
    bool any = false;
    for (int64_t k = 0; k < in->sets; k++) any |= peft_dataset_has_cases(in->set[k]) != 0;
    if (any) return;
    if (in_zip)
        fail("--per-case: the pictures of %.*s have no cases; unpack a zip of DICOM files and give the folder, whose "
             "series are cases; else give --data TABLE with a column of studies (--table study=COLUMN)",
             (int)(in_zip - first + strlen(".zip")), first);
    if (!peft_dicom_header_read(ctx, first, &h))
        fail("--per-case: DICOM files that are named one by one, such as %s, have no cases; give the folder that they "
             "are in, whose series are cases", first);
    fail("--per-case: the pictures have no cases; give --data TABLE with a column of studies (--table "
         "study=COLUMN), a folder of DICOM series, or --all-slices for files of several pictures");
}

results open_results(prediction_table *t, const inputs *in, const char *per_case, const char *path)
{
    results r = { .table = t, .in = in, .by_case = per_case != NULL, .columns = t->model->classes };
    if (!per_case) return r;
    r.rule = parse_case_rule(per_case, true);
    if (r.rule == CASE_ATTENTION) {
        char *pool = case_pool_path(path);
        r.pool = load_case_pool(t->model->ctx, pool, t->model->model);
        r.columns = peft_case_pool_get(r.pool, "width");
        free(pool);
    }
    r.values = check_alloc(malloc((size_t)(in->count * r.columns) * sizeof *r.values));
    r.known = check_alloc(calloc((size_t)in->count, sizeof *r.known));
    return r;
}

void add_result(results *r, int64_t picture, const float *p)
{
    if (!r->by_case) {
        add_to_table(r->table, &(prediction){ .name = input_name(r->in, picture), .probabilities = p });
        return;
    }
    memcpy(r->values + picture * r->columns, p, (size_t)r->columns * sizeof *p);
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

/* The probabilities of all cases, [cases, classes], by mean or maximum; to be freed. */
static double *aggregated(const results *r, const case_list *c)
{
    const size_t count = (size_t)(r->in->count * r->columns);
    double *scores = check_alloc(malloc(count * sizeof *scores));
    for (int64_t i = 0; i < r->in->count; i++)
        for (int64_t k = 0; k < r->columns; k++)
            scores[i * r->columns + k] = r->known[i] ? r->values[i * r->columns + k] : 0;
    double *of_cases = aggregate_cases(c, scores, r->known, r->in->count, r->columns, r->rule,
                                       r->table->model->multilabel);
    free(scores);
    return of_cases;
}

/* The probabilities of case n, [classes], by attention over its pictures; sets names and weights of the line. */
static void attend(const results *r, const case_list *c, int64_t n, prediction *line, double *probabilities)
{
    const int64_t width = r->columns, one_case = 1;
    const size_t room = (size_t)line->slices + 1;
    float *features = check_alloc(malloc(room * (size_t)width * sizeof *features));
    int64_t *of = check_alloc(calloc(room, sizeof *of)), slices = 0;
    line->image = check_alloc(malloc(room * sizeof *line->image));
    line->weight = check_alloc(malloc(room * sizeof *line->weight));
    for (int64_t i = c->first[n]; i < r->in->count && slices < line->slices; i++) {
        if (c->of[i] != n || !r->known[i]) continue;
        memcpy(features + slices * width, r->values + i * width, (size_t)width * sizeof *features);
        line->image[slices++] = input_name(r->in, i);
    }
    if (slices) must(peft_case_pool_predict(r->pool, features, of, slices, one_case, probabilities, line->weight));
    free(features);
    free(of);
}

/* A picture without a case is one of its own, with the name of the picture. */
static void add_cases(const results *r)
{
    const int64_t classes = r->table->model->classes, pictures = r->in->count;
    const char **name = check_alloc(malloc((size_t)pictures * sizeof *name));
    float *p = check_alloc(malloc((size_t)classes * sizeof *p));
    for (int64_t i = 0; i < pictures; i++) name[i] = input_case(r->in, i);
    case_list c = find_cases(name, r->known, pictures);
    double *scores = r->pool ? check_alloc(calloc((size_t)(c.count * classes), sizeof *scores)) : aggregated(r, &c);
    for (int64_t k = 0; k < c.count; k++) {
        const char *own = name[c.first[k]];
        prediction line = { .name = own ? own : input_name(r->in, c.first[k]), .slices = c.slices[k],
                            .failed = c.failed[k], .probabilities = c.slices[k] ? p : NULL };
        if (r->pool) attend(r, &c, k, &line, scores + k * classes);
        for (int64_t i = 0; i < classes; i++) p[i] = (float)scores[k * classes + i];
        warn_of_failed(&line);
        add_to_table(r->table, &line);
        free(line.image);
        free(line.weight);
    }
    free_cases(&c);
    free(scores);
    free(name);
    free(p);
}

void close_results(results *r, bool complete)
{
    if (r->by_case && complete) add_cases(r);
    peft_case_pool_free(r->pool);
    free(r->values);
    free(r->known);
}
