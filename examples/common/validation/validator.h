/* SPDX-License-Identifier: Apache-2.0
 * validator.h -- scores of held-out images by a model that is being trained, and figures of such scores by name. */
#ifndef VALIDATOR_H
#define VALIDATOR_H
#include "common/model/evaluate.h"
#include "common/model/recipe.h"
#include "common/segment/figures/score_cases.h"
#include <stdbool.h>

typedef struct validator validator;
/* For the model of t, as it is whenever validate is called; while the validator exists, no adapter can be attached. d
 * and t's objects are borrowed. spacing: with masks, of images whose files state none. Images are read once and kept at
 * the size of the network's input (the loader's cache). */
validator *make_validator(const training_run *t, peft_dataset *d, pixel_spacing spacing);
/* The probabilities [count, classes] of all images, or of a data set with masks one number, judged_dice
 * (score_cases.h); valid until the next call; NULL: stop_requested. Ends the program if an output of the model is not
 * finite. */
const double *validate(validator *v);
/* Of a data set with masks: the figures of its cases (score_cases). */
case_table validate_cases(validator *v);
void free_validator(validator *v);

/* A figure by which a training is judged: a member of metrics (evaluate.h), or the loss: the mean over the images of
 * -log of the true class' probability; with several labels per image the mean binary cross entropy of the known ones.
 * */
typedef struct judging_figure judging_figure;
/* Ends the program unless the figure exists and is defined for this kind of data set. flag: of the name, for messages.
 * name NULL: balanced_accuracy, with several labels per image map. Of data sets with masks the only figure is "dice",
 * judged_dice, and the scores are this number. */
const judging_figure *find_figure(const char *name, bool multilabel, const char *flag);
const judging_figure *map_figure(const char *name, const char *flag);
/* Figure i of those for this kind of data set; NULL: no such figure. */
const judging_figure *figure_at(int i, bool multilabel);
const char *figure_name(const judging_figure *f);
bool        smaller_is_better(const judging_figure *f);
double      figure_of(const judging_figure *f, peft_context *ctx, const double *scores, const peft_dataset *d);
double      figure_in(const judging_figure *f, const metrics *m);        /* one of the metrics; NaN: the loss */
#endif
