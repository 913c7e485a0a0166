/* SPDX-License-Identifier: Apache-2.0
 * out_of_fold.h -- figures of the predictions of all folds together, by which --tune ranks candidates. */
#ifndef OUT_OF_FOLD_H
#define OUT_OF_FOLD_H
#include "common/tuning/search.h"
#include <peft/io.h>

/* Ends the program unless --tune-metric (NULL: the default) exists for this kind of data set. */
void check_tune_metric(const char *name, bool multilabel);
const char *tune_metric_name(const char *name, bool multilabel);      /* the name, or the default */
/* scores [count, classes]: probabilities of the images of d. The trial's loss is the mean over the images of -log of
 * the true class' probability; with several labels per image, the mean binary cross entropy of the known ones. */
trial judge_out_of_fold(peft_context *ctx, const double *scores, const peft_dataset *d, const char *metric);
#endif
