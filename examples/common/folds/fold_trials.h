/* SPDX-License-Identifier: Apache-2.0
 * fold_trials.h -- judges candidates of --tune: trains each on the folds, and predicts every training image by the
 * training that held it out. Candidates share the backbone, decoded images and, where images are the same in every
 * epoch, the results of the frozen layers. */
#ifndef FOLD_TRIALS_H
#define FOLD_TRIALS_H
#include "common/model/recipe.h"
#include "common/tuning/search.h"
#include "common/tuning/tuned_recipe.h"
#include "common/validation/validator.h"
#include "folds.h"

typedef struct fold_loaders fold_loaders;
typedef struct fold_trials {
    const training_run *base;                                 /* after build_backbone or build_training: its backbone,
                                                                 transform, training images and seed are used */
    const flag *recipe;                                       /* [recipe_flags], without the candidate's values */
    const grid *candidates;
    const folds *folds;                                       /* of base->train */
    const judging_figure *figure;                             /* of --tune-metric */
    const char *files;                                        /* first part of the paths of temporary files: training
                                                                 states between rounds, features */
    fold_loaders *loaders;                                    /* made by the first trial */
} fold_trials;
/* A trial_function (search.h), whose user is a fold_trials. A training whose loss, gradient or prediction is not
 * finite has diverged. Ends the program on stop_requested. */
trial judge_by_folds(int64_t candidate, double share, void *user);
/* Trains by a recipe on the images of a fold, to the end, and writes the probabilities of those that it holds out to
 * their rows of scores [samples of the whole set, classes]. base: as above. */
void  predict_by_training(const training_run *base, const flag *recipe, const fold *part, double *scores);
/* Makes the objects of every candidate once, so that wrong values end the program before anything is trained. */
void  check_candidates(const fold_trials *f);
void  end_fold_trials(fold_trials *f);                        /* frees what it made, and removes the temporary files */
/* Removes the temporary files of a search by so many folds, those that are there. files: as in fold_trials. Ends the
 * program if one cannot be removed. */
void  remove_trial_files(const char *files, const grid *candidates, int64_t count);
#endif
