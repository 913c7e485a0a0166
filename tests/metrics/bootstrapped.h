/* SPDX-License-Identifier: Apache-2.0
 * bootstrapped.h -- samples for the tests of the bootstrap, and a call of it with options as a text. */
#ifndef BOOTSTRAPPED_H
#define BOOTSTRAPPED_H
#include "expect.h"
#include "simulated.h"
#include <peft/statistics.h>

enum { N = 60, CLASSES = 3 };

/* Samples of three classes, four or fewer of a patient, with two sets of probabilities. */
typedef struct fixture {
    double scores[N * CLASSES], others[N * CLASSES];
    int64_t labels[N], groups[N];
    float targets[N * CLASSES];
    peft_samples s;
} fixture;

static inline void fill(fixture *f, uint64_t seed)
{
    simulated r = { seed };
    for (int i = 0; i < N; i++) {
        double sum[2] = { 0, 0 };
        f->labels[i] = i % 7 % CLASSES;
        f->groups[i] = i < 8 ? -1 : i / 4 * 3;
        for (int c = 0; c < CLASSES; c++) {
            const int k = i * CLASSES + c;
            f->targets[k] = f->labels[i] == c;
            sum[0] += f->scores[k] = exp(normal(&r) + 1.2 * f->targets[k]);
            sum[1] += f->others[k] = exp(normal(&r) + 0.4 * f->targets[k]);
        }
        for (int c = 0; c < CLASSES; c++) {
            f->scores[i * CLASSES + c] /= sum[0];
            f->others[i * CLASSES + c] /= sum[1];
        }
    }
    f->s = (peft_samples){ .n = N, .classes = CLASSES, .scores = f->scores, .labels = f->labels };
}

static inline peft_options *options(peft_context *ctx, const char *text)
{
    peft_options *o = NULL;
    OK(peft_options_create(ctx, &o));
    OK(peft_options_parse(o, text));
    return o;
}

static inline peft_status bootstrap(peft_context *ctx, const peft_samples *s, const char *metric,
                                    const char *settings, peft_estimate *out, size_t count)
{
    peft_options *o = options(ctx, settings);
    const peft_status status = peft_statistics_bootstrap(ctx, s, metric, o, out, count);
    peft_options_free(o);
    return status;
}
#endif
