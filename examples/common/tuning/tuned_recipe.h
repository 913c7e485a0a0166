/* SPDX-License-Identifier: Apache-2.0
 * tuned_recipe.h -- the flags of --tune, and recipes (recipe.h) with the values of a candidate. */
#ifndef TUNED_RECIPE_H
#define TUNED_RECIPE_H
#include "common/flags/flags.h"
#include "common/model/recipe.h"
#include "grid.h"
#include <stdbool.h>

#define TUNE_FLAGS(X) \
    X(tune, "LIST", NULL, "choose training settings by folds of the training images: every combination of these " \
      "values is tried, such as lr=1e-3,1e-2,options.length=10,100; names are the flags from --epochs to " \
      "--clip-norm, and options., head. or trainer.NAME; lr=x0.3,x1,x3 are multiples of --lr") \
    X(tune_search, "NAME", "grid", "how combinations are tried: grid (all are trained to the end), halving or thirds " \
      "(all begin; the better half or third goes on, for 2 or 3 times as many epochs, to the end)") \
    X(tune_folds, "K", "5", "number of folds; each is predicted by a training on the others") \
    X(tune_metric, "NAME", NULL, "what the best combination has on the predictions of all folds: balanced_accuracy, " \
      "accuracy, f1_macro, auroc_macro, map or loss; without it balanced_accuracy, with several labels per image map")
#define TUNE_ID(name, argument, value, help) flag_##name,
/* An array of flags [tuned_flags] is a recipe [recipe_flags] and these behind it. */
enum { before_tune_flags = recipe_flags - 1, TUNE_FLAGS(TUNE_ID) tuned_flags };

/* Ends the program for a name that cannot be chosen, or a setting that the recipe gives a value elsewhere. probe: only
 * options can be chosen. f: flags [tuned_flags]. */
void check_grid(const grid *g, const flag *f, bool probe);
/* What has an effect of the value of flag k, to be freed: without the options that candidates have values of. NULL:
 * nothing, since candidates replace it, or there is none. Multiples need it. */
char *value_beside(const grid *g, const flag *recipe, int k);
/* Copies a recipe [recipe_flags] with the values of a candidate; free_tuned frees the copy. */
void tune_recipe(const grid *g, int64_t candidate, const flag *recipe, flag *tuned);
void free_tuned(flag *tuned);
/* The values of a candidate, multiples computed: "lr=0.003,options.length=10"; to be freed. */
char *candidate_text(const grid *g, int64_t candidate, const flag *recipe);
/* The number of the first candidate whose model is that of this one: which differs from it in training flags alone. */
int64_t first_with_model(const grid *g, int64_t candidate);
#endif
