/* SPDX-License-Identifier: Apache-2.0
 * truth.h -- predict --masks: the true masks of the pictures, and figures of the predicted ones. */
#ifndef PREDICT_TRUTH_H
#define PREDICT_TRUTH_H
#include "common/segment/figures/evaluate_cases.h"
#include "predict/predict.h"

/* That of --spacing for pictures whose files state none; unknown where it is "file" or not given. */
pixel_spacing given_spacing(void);
/* Ends the program where --spacing is no pair of lengths, a flag needs --masks, or true masks would be written over. */
void            check_ground_truth_flags(void);
/* --masks, or --mask-options alone for masks beside the pictures: gives the pictures masks, and ends the program if
 * these have other classes than the model. */
void            open_ground_truth(inputs *in, const loaded_model *s);
/* shared_masks.c: ends the program if pictures of two arguments would be compared with one mask: p/a.png and q/a.png
 * with the mask a.png of the folder `masks`. Within an argument peft_dataset_with_masks looks for them. */
void            refuse_shared_masks(const inputs *in, const char *masks);
/* NULL: --masks is not given. */
case_evaluator *begin_truth_evaluation(const loaded_model *s, int64_t pictures);
/* Compares the labels of picture i with its mask; e NULL: does nothing. The status of loading the mask. */
peft_status     evaluate_input(case_evaluator *e, const inputs *in, int64_t i, const peft_image *im,
                               const uint8_t *labels);
/* Prints the figures, on standard error where the table is on the output, and writes --case-figures, if all pictures
 * were tried; frees e. */
void            end_truth_evaluation(case_evaluator *e, peft_context *ctx, bool complete);
#endif
