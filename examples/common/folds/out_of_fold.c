/* SPDX-License-Identifier: Apache-2.0
 * out_of_fold.c -- figures of the predictions of all folds (out_of_fold.h). */
#include "out_of_fold.h"
#include "common/model/evaluate.h"
#include "common/program/errors.h"
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ONE_LABEL = 1, SEVERAL_LABELS = 2 };
/* kinds: for which data sets the metric exists. "loss" has no member of metrics. */
static const struct { const char *name; int kinds; size_t at; } table[] = {
    { "balanced_accuracy", ONE_LABEL, offsetof(metrics, balanced_accuracy) },
    { "accuracy", ONE_LABEL, offsetof(metrics, accuracy) },
    { "f1_macro", ONE_LABEL | SEVERAL_LABELS, offsetof(metrics, f1_macro) },
    { "auroc_macro", ONE_LABEL | SEVERAL_LABELS, offsetof(metrics, auroc_macro) },
    { "map", SEVERAL_LABELS, offsetof(metrics, map) },
    { "loss", ONE_LABEL | SEVERAL_LABELS, 0 } };
enum { rows = sizeof table / sizeof *table };

static int find_metric(const char *name)
{
    int k = 0;
    while (k < rows && strcmp(table[k].name, name)) k++;
    return k;
}

void check_tune_metric(const char *name, bool multilabel)
{
    if (!name) return;
    const int k = find_metric(name);
    if (k == rows)
        fail("--tune-metric %s: expected balanced_accuracy, accuracy, f1_macro, auroc_macro, map or loss", name);
    if (!(table[k].kinds & (multilabel ? SEVERAL_LABELS : ONE_LABEL)))
        fail("--tune-metric %s: does not exist for data with %s; give %s", name,
             multilabel ? "several labels per image" : "one label per image",
             multilabel ? "map, f1_macro, auroc_macro or loss" : "balanced_accuracy, auroc_macro or loss");
}

const char *tune_metric_name(const char *name, bool multilabel)
{
    return name ? name : multilabel ? "map" : "balanced_accuracy";
}

/* The mean of -log p over the images' classes, or over all known labels. */
static double cross_entropy(const double *scores, const peft_dataset *d)
{
    const double least = 1e-30;                               /* a probability of 0 would be an infinite loss */
    const int64_t classes = peft_dataset_classes(d);
    const bool several = peft_dataset_multilabel(d);
    float *target = check_alloc(malloc((size_t)classes * sizeof *target));
    double sum = 0, count = 0;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        must(peft_dataset_targets(d, i, target));
        for (int64_t c = 0; c < classes; c++) {
            const double p = scores[i * classes + c];
            if (target[c] < 0 || (!several && target[c] < 0.5f)) continue;
            sum -= log(fmax(target[c] > 0.5f ? p : 1 - p, least));
            count++;
        }
    }
    free(target);
    return sum / count;
}

trial judge_out_of_fold(peft_context *ctx, const double *scores, const peft_dataset *d, const char *metric)
{
    metrics m;
    trial t = { .loss = cross_entropy(scores, d) };
    const int k = find_metric(metric);
    compute_metrics(ctx, scores, d, &m);
    if (!strcmp(metric, "loss")) {
        t.value = -t.loss;
        return t;
    }
    memcpy(&t.value, (const char *)&m + table[k].at, sizeof t.value);
    t.value = round(1e9 * t.value) / 1e9;                     /* equal figures that were added up in another order */
    return t;
}
