/* SPDX-License-Identifier: Apache-2.0
 * probes.h -- what the tests of probes share: simulated features with labels, and fits by a text of options. */
#ifndef PROBES_H
#define PROBES_H
#include "expect.h"
#include "simulated.h"
#include <peft/probe.h>

static inline peft_options *probe_options(peft_context *ctx, const char *text)
{
    peft_options *o = NULL;
    OK(peft_options_create(ctx, &o));
    OK(peft_options_parse(o, text));
    return o;
}

/* Fits with the options of a text. */
static inline peft_status fit_probe(peft_context *ctx, const float *x, const int64_t *labels, const float *targets,
                                    int64_t n, int64_t width, int64_t classes, const char *text, peft_probe **out)
{
    peft_options *o = probe_options(ctx, text);
    const peft_status s = peft_probe_fit(ctx, x, labels, targets, n, width, classes, o, out);
    peft_options_free(o);
    return s;
}

/* n samples of `classes` classes in turn: normal features around a mean of the class, of scale 1 to 3. */
static inline void simulate_features(simulated *r, float *x, int64_t *labels, int64_t n, int64_t width, int64_t classes)
{
    for (int64_t i = 0; i < n; i++) {
        labels[i] = i * 5 % n % classes;
        for (int64_t j = 0; j < width; j++)
            x[i * width + j] = (float)((1 + 2.0 * (double)j / (double)width) *
                                       (normal(r) + 0.7 * cos((double)(j * (labels[i] + 1)))) + 0.5);
    }
}

/* Targets of several labels: 1, 0 and some of -1. */
static inline void simulate_targets(simulated *r, const float *x, float *targets, int64_t n, int64_t width,
                                    int64_t classes)
{
    for (int64_t i = 0; i < n * classes; i++) {
        const double u = uniform(r);
        const int64_t feature = i / classes * width + i % classes % width;
        targets[i] = u < 0.2 ? -1.0f : (double)x[feature] + 2 * u > 1.5 ? 1.0f : 0.0f;
    }
}
#endif
