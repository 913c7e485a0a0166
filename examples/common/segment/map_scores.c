/* SPDX-License-Identifier: Apache-2.0
 * map_scores.c -- Dice of each case and class (map_figures.h), and its means. */
#include "map_figures.h"
#include "common/program/errors.h"
#include "figures/score_cases.h"
#include <math.h>
#include <stdlib.h>

double *score_maps(peft_session *session, const peft_dataset *d, peft_transform *t)
{
    const bool distances = false;
    case_table f = score_cases(session, d, t, distances);
    const int64_t values = peft_dataset_count(d) * f.classes;
    double *dice = f.cases ? check_alloc(malloc((size_t)values * sizeof *dice)) : NULL;
    for (int64_t k = 0; k < values && dice; k++) dice[k] = k < f.cases * f.classes ? f.value[CASE_DICE][k] : NAN;
    free_case_figures(&f);
    return dice;
}

double means_of_maps(const double *dice, int64_t images, int64_t classes, bool labels, double *means)
{
    double sum = 0;
    int64_t defined = 0;
    must(peft_metrics_values(dice, images, classes, "mean", means, (size_t)classes));
    for (int64_t c = classes > 1 && !labels; c < classes; c++)
        if (!isnan(means[c])) sum += means[c], defined++;
    return defined ? sum / (double)defined : NAN;
}

double mean_dice(const double *dice, int64_t images, int64_t classes, bool labels)
{
    double *means = check_alloc(malloc((size_t)classes * sizeof *means));
    const double mean = means_of_maps(dice, images, classes, labels, means);
    free(means);
    return mean;
}
