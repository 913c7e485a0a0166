/* SPDX-License-Identifier: Apache-2.0
 * out_of_fold.c -- judges the predictions of all folds (out_of_fold.h). */
#include "out_of_fold.h"
#include <math.h>

const judging_figure *tune_figure(const char *name, const peft_dataset *d)
{
    return find_figure(name, peft_dataset_multilabel(d), "tune-metric");
}

trial judge_out_of_fold(peft_context *ctx, const double *scores, const peft_dataset *d, const judging_figure *f)
{
    const judging_figure *loss = tune_figure("loss", d);
    trial t = { .value = figure_of(f, ctx, scores, d), .loss = figure_of(loss, ctx, scores, d) };
    if (smaller_is_better(f)) t.value = -t.value;
    else t.value = round(1e9 * t.value) / 1e9;                /* so that sums in another order compare as equal */
    return t;
}
