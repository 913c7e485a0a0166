/* SPDX-License-Identifier: Apache-2.0
 * predictions.h -- probabilities of the images of a data set: of test and validation images, and of folds. */
#ifndef PREDICTIONS_H
#define PREDICTIONS_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdint.h>

/* Predicts the images of d in order, in batches of the loader, which was made of d without shuffle, balanced and train
 * and has at most the session's batch. Writes the probabilities of image i to row i of scores [count, classes], or to
 * row row[i]. Stops between two batches when stop_requested is set, and returns PEFT_OK with the rows so far.
 * PEFT_E_NONFINITE: an output of the model is NaN or infinite; the message names the image. Ends the program where an
 * image cannot be read. */
peft_status predict_images(peft_session *s, peft_loader *loader, const peft_dataset *d, const int64_t *row,
                           double *scores);
/* Predicts every image of d: probabilities [count, classes], to be freed; NULL when stop_requested is set. Ends the
 * program on an error. */
double     *predict_set(peft_session *s, peft_dataset *d, peft_transform *t);
#endif
