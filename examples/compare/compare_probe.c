/* SPDX-License-Identifier: Apache-2.0
 * compare_probe.c -- one run of a probe (--method probe): a classifier (peft/probe.h) that is fitted to the features of
 * the training images, which the backbone has as it is. */
#include "common/program/clock.h"
#include "common/program/errors.h"
#include "compare_study.h"
#include "tuning/choice.h"
#include <math.h>
#include <stdlib.h>

void check_probe(const training_run *t, const entry *e)
{
    const int64_t n = peft_dataset_count(t->train), width = peft_model_feature_width(t->model);
    if (!width) fail("--method probe: the backbone has no pooled feature; give --head pool=mean");
    features f = { .n = n, .width = 1, .classes = peft_dataset_classes(t->train) };
    f.x = check_alloc(calloc((size_t)n, sizeof *f.x));
    f.label = check_alloc(malloc((size_t)n * sizeof *f.label));
    for (int64_t i = 0; i < n; i++) f.label[i] = peft_dataset_label(t->train, i);
    peft_probe_free(fit_probe(t->ctx, e->recipe, &f, t->train));
    free_features(&f);
}

/* The numbers that were fitted: those of logistic regression. one_row: of two classes the second has a row. */
static double fitted_numbers(const peft_probe *p, bool one_row)
{
    if (isnan(peft_probe_get(p, "loss"))) return 0;
    return (one_row ? 1 : peft_probe_get(p, "classes")) * (peft_probe_get(p, "width") + 1);
}

void perform_probe(study *s, int64_t i)
{
    const double start = seconds_now();
    double *v = s->result[i].value;
    training_run t;
    peft_dataset *test;
    features for_training, for_test;
    metrics m;
    flag recipe[recipe_flags];
    for (int c = 0; c < result_columns; c++) v[c] = NAN;
    draw_run_data(s, i, &t, &test);
    const double drawn = seconds_now() - start;
    const feature_slot *shared = probe_features(s, i, &t, test, &for_training, &for_test);
    const double fitting = seconds_now();
    choose_probe(s, i, &t, &for_training, recipe);
    peft_probe *p = fit_probe(t.io_ctx, recipe, &for_training, t.train);
    v[result_peak_bytes] = fmax(shared->peak_bytes, peak_bytes());
    double *scores = check_alloc(malloc((size_t)(for_test.n * for_test.classes) * sizeof *scores));
    must(peft_probe_scores(p, for_test.x, for_test.n, scores));
    judged j = judge_scores(s, t.io_ctx, test, scores, &m);
    store_metrics(v, &m);
    v[result_seconds] = drawn + shared->seconds + seconds_now() - fitting;
    v[result_steps] = 0;
    v[result_loss] = peft_probe_get(p, "loss");
    v[result_trainable_parameters] = fitted_numbers(p, for_training.classes == 2 && !peft_dataset_multilabel(test));
    if (s->analysis && !t.vit) build_entry(&t, entry_of(s, i));
    if (s->analysis) write_analysis(s, i, &t, test);
    const evaluation ev = { .test = j.samples, .scores = j.scores };
    if (run_has_maps(s, i)) write_maps(s, i, &t, &ev);
    if (s->records) write_records(s, i, &ev);
    free_judged(s, &j);
    peft_probe_free(p);
    free_tuned(recipe);
    free_features(&for_training);
    free_features(&for_test);
    free_training(&t);
    peft_dataset_free(t.train);
    peft_context_free(t.io_ctx);
    peft_dataset_free(test);
}
