/* SPDX-License-Identifier: Apache-2.0
 * case_attention.h -- --per-case attention: a case pool (peft/case_pool.h) is trained on the features that a trained
 * model has of the images, and predicts cases. */
#ifndef CASE_ATTENTION_H
#define CASE_ATTENTION_H
#include "cases.h"
#include <peft/peft.h>

/* Makes an untrained pool for the features of a model, with these options (text of --case-options, or NULL). The
 * program ends for wrong options, and for a model without a pooled feature. multilabel: of the data set. */
peft_case_pool *make_case_pool(peft_model *m, const char *options, bool multilabel, int64_t seed);
/* Trains it on the cases of d, whose images a session of the model reads; false: stop_requested. Notes in the pool
 * which model the features are of. */
bool train_case_pool(peft_case_pool *p, peft_session *s, const peft_dataset *d, const peft_transform *t);
/* Predicts the cases of d; free the result with free_case_scores. scores NULL: stop_requested. */
case_scores attend_to_cases(peft_case_pool *p, peft_session *s, peft_dataset *d, const peft_transform *t);
/* Loads the pool that belongs to the model; a pool of another model ends the program. */
peft_case_pool *load_case_pool(peft_context *ctx, const char *path, peft_model *m);
/* The path of the pool of a model file, MODEL.cases; to be freed. */
char *case_pool_path(const char *model);
#endif
