/* SPDX-License-Identifier: Apache-2.0
 * out_of_fold.h -- judges the predictions of all folds together, by which --tune ranks candidates. */
#ifndef OUT_OF_FOLD_H
#define OUT_OF_FOLD_H
#include "common/tuning/search.h"
#include "common/validation/validator.h"
#include <peft/io.h>

/* The figure of --tune-metric (NULL: the default) for this data set; ends the program if there is none. */
const judging_figure *tune_figure(const char *name, const peft_dataset *d);
/* scores [count, classes]: probabilities of the images of d. Equal values are equal to the last bit. */
trial judge_out_of_fold(peft_context *ctx, const double *scores, const peft_dataset *d, const judging_figure *f);
#endif
