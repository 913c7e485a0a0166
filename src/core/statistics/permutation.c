/* SPDX-License-Identifier: Apache-2.0
 * permutation.c -- permutation test of the difference of a metric between two sets of scores on the same samples. Group
 * g is swapped in resample r if element g of the random stream (seed, "permutation", r) is odd. */
#include "core/statistics/figure.h"
#include <math.h>
#include <string.h>
#include "core/base/rng.h"

/* Copies scores and others to a and b, with those of the swapped groups exchanged. */
static void swap_groups(const peft_samples *s, const pf_groups *groups, const pf_rng *rng, double *a, double *b)
{
    const size_t row = (size_t)s->classes;
    for (int64_t g = 0; g < groups->count; g++) {
        const bool swapped = pf_rng_u32(rng, (uint64_t)g) & 1;
        for (int64_t k = groups->start[g]; k < groups->start[g + 1]; k++) {
            const size_t at = (size_t)groups->members[k] * row;
            memcpy((swapped ? b : a) + at, s->scores + at, row * sizeof *a);
            memcpy((swapped ? a : b) + at, s->others + at, row * sizeof *a);
        }
    }
}

/* What a test allocates. memory: one block, [2, n, classes] scores after swapping, then [3, count]: values, those of
 * all samples, and how many resamples are as large. undefined [count]. */
typedef struct test { pf_figure figure; pf_groups groups; double *memory; int64_t *undefined; } test;

static peft_status run(test *t, const peft_options *options, peft_estimate *out)
{
    const peft_samples *s = t->figure.s;
    const char *who = t->figure.who;
    const size_t entries = (size_t)(s->n * s->classes), count = t->figure.count;
    if (!s->others) return pf_metric_null(who, "others");
    PF_TRY(pf_groups_make(&t->groups, who, t->figure.ctx, s->groups, s->n));
    const size_t bytes = (2 * entries + 3 * count) * sizeof(double);        /* entries < 2^59, count <= 2^59 / n */
    t->memory = pf_alloc(t->figure.ctx, bytes);
    if (!t->memory) return pf_nomem(who, bytes);
    t->undefined = pf_alloc_zero(t->figure.ctx, count * sizeof *t->undefined);
    if (!t->undefined) return pf_nomem(who, count * sizeof *t->undefined);
    double *a = t->memory, *b = a + entries, *values = b + entries, *all = values + count, *more = all + count;
    PF_TRY(pf_figure_of(&t->figure, s->scores, s->others, NULL, s->n, all));
    for (size_t v = 0; v < count; v++) more[v] = 0;
    const int64_t resamples = pf_options_int(options, pf_statistics_options, "resamples");
    const uint64_t seed = (uint64_t)pf_options_int(options, pf_statistics_options, "seed");
    for (int64_t r = 0; r < resamples; r++) {
        const pf_rng rng = { .seed = seed, .a = pf_rng_stream("permutation"), .b = (uint32_t)r };
        swap_groups(s, &t->groups, &rng, a, b);
        PF_TRY(pf_figure_of(&t->figure, a, b, NULL, s->n, values));
        for (size_t v = 0; v < count; v++) {
            /* up to rounding: equal differences are sums of the same terms in another order */
            if (isnan(values[v])) t->undefined[v]++;
            else more[v] += fabs(values[v]) >= fabs(all[v]) - 1e-12 * (1 + fabs(all[v]));
        }
    }
    for (size_t v = 0; v < count; v++) {
        out[v] = pf_estimate_none();
        out[v].value = all[v];
        out[v].undefined = t->undefined[v];
        out[v].resamples = resamples - out[v].undefined;
        out[v].p = isnan(all[v]) ? NAN : (1 + more[v]) / (1 + (double)out[v].resamples);
    }
    return PEFT_OK;
}

peft_status peft_statistics_permutation(peft_context *ctx, const peft_samples *s, const char *metric,
                                        const peft_options *options, peft_estimate *out, size_t count)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_statistics_permutation";
    test t = { .memory = NULL };
    if (!out) return pf_metric_null(who, "out");
    PF_TRY(pf_options_check(options, pf_statistics_options, who));
    peft_status status = pf_figure_make(&t.figure, who, ctx, s, metric, count);
    if (!status) status = run(&t, options, out);
    if (status && ctx) pf_prefix_error(status, "%s", who);
    if (ctx) {
        pf_groups_free(&t.groups, ctx);
        pf_free(ctx, t.memory);
        pf_free(ctx, t.undefined);
        pf_figure_free(&t.figure);
    }
    return status;
}
