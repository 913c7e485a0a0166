/* SPDX-License-Identifier: Apache-2.0
 * figures.c -- figures of scores by name, by which a training is judged (validator.h). */
#include "common/program/errors.h"
#include "validator.h"
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { FOR_ONE_LABEL = 1, FOR_SEVERAL = 2, FOR_BOTH = FOR_ONE_LABEL | FOR_SEVERAL };
struct judging_figure { const char *name; int for_labels; bool loss; size_t member; };
static const judging_figure figure[] = {
    { "balanced_accuracy", FOR_ONE_LABEL, false, offsetof(metrics, balanced_accuracy) },
    { "map", FOR_SEVERAL, false, offsetof(metrics, map) },
    { "accuracy", FOR_ONE_LABEL, false, offsetof(metrics, accuracy) },
    { "f1_macro", FOR_BOTH, false, offsetof(metrics, f1_macro) },
    { "auroc_macro", FOR_BOTH, false, offsetof(metrics, auroc_macro) },
    { "loss", FOR_BOTH, true, 0 } };
enum { FIGURES = sizeof figure / sizeof *figure };
static const judging_figure dice = { .name = "dice" };

const judging_figure *map_figure(const char *name, const char *flag)
{
    if (name && strcmp(name, dice.name))
        fail("--%s: given '%s', no such figure of masks; expected %s", flag, name, dice.name);
    return &dice;
}

const judging_figure *find_figure(const char *name, bool multilabel, const char *flag)
{
    const int kind = multilabel ? FOR_SEVERAL : FOR_ONE_LABEL;
    char list[120] = "";
    for (int i = 0; i < FIGURES; i++) {
        if (!(figure[i].for_labels & kind)) continue;
        if (!name || !strcmp(name, figure[i].name)) return &figure[i];
        if (*list) strcat(list, ", ");
        strcat(list, figure[i].name);
    }
    fail("--%s: given '%s', no such figure of images with %s; expected one of %s", flag, name,
         multilabel ? "several labels" : "one label", list);
}

const judging_figure *figure_at(int i, bool multilabel)
{
    for (int k = 0; k < FIGURES; k++)
        if ((figure[k].for_labels & (multilabel ? FOR_SEVERAL : FOR_ONE_LABEL)) && !i--) return &figure[k];
    return NULL;
}

const char *figure_name(const judging_figure *f) { return f->name; }
bool smaller_is_better(const judging_figure *f) { return f->loss; }

/* -log of a probability; of 0 that of the smallest normal float, since probabilities are computed as such. */
static double surprise(double probability)
{
    const double least = (double)FLT_MIN;
    return -log(probability < least ? least : probability);
}

static double loss_of(const double *scores, const peft_dataset *d)
{
    const int64_t n = peft_dataset_count(d), classes = peft_dataset_classes(d);
    const bool multilabel = peft_dataset_multilabel(d);
    float *target = check_alloc(malloc((size_t)classes * sizeof *target));
    double sum = 0, terms = 0;
    for (int64_t i = 0; i < n; i++) {
        must(peft_dataset_targets(d, i, target));
        for (int64_t c = 0; c < classes; c++) {
            const double p = scores[i * classes + c];
            if (multilabel ? target[c] < 0 : target[c] < 1) continue;
            sum += surprise(target[c] > 0 ? p : 1 - p);
            terms++;
        }
    }
    free(target);
    return sum / terms;
}

double figure_in(const judging_figure *f, const metrics *m)
{
    double value;
    if (f->loss) return NAN;
    memcpy(&value, (const char *)m + f->member, sizeof value);
    return value;
}

double figure_of(const judging_figure *f, peft_context *ctx, const double *scores, const peft_dataset *d)
{
    metrics m;
    if (f == &dice) return *scores;
    const int64_t values = peft_dataset_count(d) * peft_dataset_classes(d);
    for (int64_t i = 0; i < values; i++)
        if (!isfinite(scores[i])) return NAN;
    if (f->loss) return loss_of(scores, d);
    compute_metrics(ctx, scores, d, &m);
    return figure_in(f, &m);
}
