/* SPDX-License-Identifier: Apache-2.0
 * held_out.h -- validation images: those that judge a training while it runs, and that are neither trained on nor the
 * test images. */
#ifndef HELD_OUT_H
#define HELD_OUT_H
#include "common/data/data.h"
#include <peft/io.h>
#include <stdint.h>

/* What --val asks for: nothing, the images at path, a share of the training images, or folds of them. */
typedef enum validation_kind { NO_VALIDATION, VALIDATION_PATH, VALIDATION_SHARE, VALIDATION_FOLDS } validation_kind;
typedef struct validation_request {
    validation_kind kind;
    const char *path;
    double share;
    int64_t folds;
    const char *chooses;                                      /* the flag by which these images choose; NULL: none */
} validation_request;
/* Parses "0.2", "folds=5" or a path; text NULL: none. Any other number ends the program. */
validation_request parse_validation(const char *text);
/* Opens the validation images, or takes them from *train, which is replaced: stratified by class, patients whole.
 * Classes get the numbers of *train. NO_VALIDATION: the split "val" of the data unless it serves as the test set
 * (test_source, the phrase of draw_sets, says so), else a fifth of the training images. Not for folds. Ends the program
 * if a patient is in both sets or in the test set as well (unless q allows it), if all validation images are training
 * or test images, or if some are test images and choose something (unless q allows shared patients). *source: a
 * phrase that says where they come from. */
peft_dataset *draw_validation(peft_context *ctx, const data_request *q, const validation_request *v,
                              const char *test_source, peft_dataset **train, const peft_dataset *test,
                              const char **source);
/* Prints "validation: 12 images: ...; SOURCE", with the number of patients where they are known. */
void print_validation(const peft_dataset *d, const char *source);
#endif
