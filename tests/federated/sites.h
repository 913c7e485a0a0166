/* SPDX-License-Identifier: Apache-2.0
 * sites.h -- fixture of the tests of aggregation: model files of several sites, which differ in the values of their
 * parameters. */
#ifndef SITES_H
#define SITES_H
#include <math.h>
#include <peft/federated.h>
#include "tiny_files.h"

enum { SITES = 3 };
static const double site_weight[SITES] = { 30, 10, 100 };

/* A model of which each site has other values. start: the file before the round; site: those of the sites. */
typedef struct sites { tiny t; char start[128], site[SITES][128]; } sites;

/* Gives the parameters and running statistics of m values that depend on stream. */
static inline void sites_change(peft_model *m, int stream)
{
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        peft_tensor *v = peft_param_value(peft_model_param(m, i));
        pk_real *x = v->data;
        for (int64_t k = 0; k < peft_tensor_count(v); k++)
            x[k] += (pk_real)(0.3 * tiny_random((uint64_t)(100 * stream) + i, (uint64_t)k));
    }
    for (size_t i = 0; i < peft_model_buffer_count(m); i++) {
        const char *name = peft_model_buffer_name(m, i);
        pk_real *x = peft_tensor_data(peft_model_find_buffer(m, name));
        const int64_t n = peft_tensor_count(peft_model_find_buffer(m, name));
        for (int64_t k = 0; strstr(name, "running") && k < n; k++)
            x[k] = (pk_real)(1.5 + tiny_random((uint64_t)(1000 * stream) + i, (uint64_t)k));
    }
}

static inline sites sites_make(const tiny_spec *spec)
{
    sites s = { .t = tiny_make(spec) };
    sites_change(s.t.model, 1);
    snprintf(s.start, sizeof s.start, "%s", tiny_path("start"));
    OK(peft_model_save(s.t.model, s.start));
    for (int k = 0; k < SITES; k++) {
        char name[16];
        peft_model *m;
        snprintf(name, sizeof name, "site%d", k);
        snprintf(s.site[k], sizeof s.site[k], "%s", tiny_path(name));
        OK(peft_model_load(s.t.backbone, s.start, &m));
        sites_change(m, k + 2);
        OK(peft_model_save(m, s.site[k]));
        peft_model_free(m);
    }
    return s;
}

static inline void sites_free(sites *s) { tiny_free(&s->t); }

static inline peft_aggregator *sites_aggregator(const sites *s, const char *options)
{
    peft_aggregator *a;
    peft_options *o = tiny_options(s->t.ctx, "%s", options);
    OK(peft_aggregator_create(s->t.ctx, o, &a));
    peft_options_free(o);
    return a;
}

/* An aggregator with start and all sites. */
static inline peft_aggregator *sites_round(const sites *s, const char *options)
{
    peft_aggregator *a = sites_aggregator(s, options);
    OK(peft_aggregator_start(a, s->start));
    for (int k = 0; k < SITES; k++) OK(peft_aggregator_add(a, s->site[k], site_weight[k]));
    return a;
}

/* The model of a file. */
static inline peft_model *sites_load(const sites *s, const char *path)
{
    peft_model *m;
    OK(peft_model_load(s->t.backbone, path, &m));
    return m;
}

/* A round with these options from its beginning to its end, for tests of failing allocations; arg: a life. */
typedef struct { const sites *s; const char *options; } life;

static inline peft_status whole_life(peft_context *ctx, void *arg)
{
    const life *l = arg;
    peft_aggregator *a = NULL;
    peft_options *o = NULL;
    const void *data;
    size_t size;
    peft_status s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, l->options);
    if (!s) s = peft_aggregator_create(ctx, o, &a);
    if (!s) s = peft_aggregator_start(a, l->s->start);
    for (int k = 0; k < SITES && !s; k++) s = peft_aggregator_add(a, l->s->site[k], site_weight[k]);
    if (!s) s = peft_aggregator_write(a, tiny_path("next"));
    if (!s) s = peft_aggregator_bytes(a, &data, &size);
    peft_aggregator_free(a);
    peft_options_free(o);
    return s;
}
#endif
