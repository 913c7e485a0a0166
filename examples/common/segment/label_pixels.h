/* SPDX-License-Identifier: Apache-2.0
 * label_pixels.h -- what a model says of the pixels of a picture. */
#ifndef LABEL_PIXELS_H
#define LABEL_PIXELS_H
#include <peft/io.h>
#include <peft/peft.h>

/* *label, to be freed: [height, width], the class of each pixel; of a model of several labels a pixel (link sigmoid)
 * [height, width, classes], 1 where the probability of a label is at least its threshold. thresholds [classes]; NULL:
 * 0.5. On failure *label is NULL. */
peft_status label_pixels(peft_context *ctx, peft_segmenter *s, const peft_image *im, const double *thresholds,
                         uint8_t **label);
#endif
