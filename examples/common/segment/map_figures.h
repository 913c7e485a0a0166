/* SPDX-License-Identifier: Apache-2.0
 * map_figures.h -- Dice of cases whose masks are known, by which the epochs of a training are judged. The figures of
 * test images are those of figures/score_cases.h. */
#ifndef MAP_FIGURES_H
#define MAP_FIGURES_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdbool.h>

/* Dice [images, classes] of the cases of d (figures/evaluate_cases.h), of which there are no more than images, by the
 * session's model, with the transform, at the images' own size, to be freed: 2 TP / (2 TP + FP + FN) over the pixels
 * that are judged; NaN for a class that neither the mask nor the prediction has, and behind the last case. NULL: a stop
 * was asked for. An error ends the program. */
double *score_maps(peft_session *s, const peft_dataset *d, peft_transform *t);
/* The mean over the classes but the first one, the background, of the mean over cases with a defined Dice; of a single
 * class that one; `labels`: over all, as there is no background. NaN: no class has one. */
double  mean_dice(const double *dice, int64_t images, int64_t classes, bool labels);
/* The same; means [classes] gets the mean of each class over the cases with a defined Dice. */
double  means_of_maps(const double *dice, int64_t images, int64_t classes, bool labels, double *means);
#endif
