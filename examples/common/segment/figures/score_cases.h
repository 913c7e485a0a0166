/* SPDX-License-Identifier: Apache-2.0
 * score_cases.h -- segments the images of a data set by a trained model and compares them with their masks. */
#ifndef SCORE_CASES_H
#define SCORE_CASES_H
#include "case_figures.h"
#include "spacing.h"
#include <peft/io.h>
#include <peft/peft.h>

/* The figures of the cases of d (evaluate_cases.h) by the session's model, with the transform, at the images' own size;
 * over the pixels that are judged. spacing: of images whose files state none. No cases: a stop was asked for. An error
 * ends the program. */
case_table score_cases(peft_session *session, const peft_dataset *d, peft_transform *t, pixel_spacing spacing);
/* The Dice by which the epochs of a training are judged: the mean over the same cases by class, and of these over the
 * classes without the background (means_by_class). NaN: no class has one, or a stop was asked for. */
double     judged_dice(peft_session *session, const peft_dataset *d, peft_transform *t, pixel_spacing spacing);
#endif
