/* SPDX-License-Identifier: Apache-2.0
 * map_figures.h -- how well a model segments images whose masks are known: Dice of each image and class, at the image's
 * own size, and means of it with intervals. */
#ifndef MAP_FIGURES_H
#define MAP_FIGURES_H
#include "common/record/json_write.h"
#include <peft/io.h>
#include <peft/peft.h>

/* Dice [images, classes] of every image of d by the session's model, with the transform, to be freed: 2 TP / (2 TP + FP
 * + FN) over the pixels that are judged; NaN for a class that neither the mask nor the prediction has. NULL: a stop was
 * asked for. An error ends the program. */
double *score_maps(peft_session *s, const peft_dataset *d, peft_transform *t);
/* The mean over the classes but the first one, the background, of the mean over images with a defined Dice; of a single
 * class that one. NaN: no class has one. */
double  mean_dice(const double *dice, int64_t images, int64_t classes);
/* The same; means [classes] gets the mean of each class over the images with a defined Dice. */
double  means_of_maps(const double *dice, int64_t images, int64_t classes, double *means);

/* The mean of each class, and last the mean of classes, with 95 % bootstrap intervals by patients where they are known:
 * of [classes + 1]. */
typedef struct map_figures {
    int64_t images, classes;
    int by_patient;
    int64_t *defined;
    peft_estimate *of;
} map_figures;
map_figures estimate_maps(const double *dice, const peft_dataset *d);
void        free_map_figures(map_figures *f);
/* Prints a line for each class and the mean; set: "test". */
void        print_map_figures(const map_figures *f, const peft_dataset *d, const char *set);
/* An object `name`; null if dice is NULL. */
void        record_map_figures(json_writer *w, const char *name, const double *dice, const peft_dataset *d);
#endif
