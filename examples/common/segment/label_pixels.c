/* SPDX-License-Identifier: Apache-2.0
 * label_pixels.c -- the classes or labels of pixels (label_pixels.h). */
#include "label_pixels.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

static peft_status several_labels(peft_context *ctx, peft_segmenter *s, const peft_image *im, const double *thresholds,
                                  uint8_t **label)
{
    const int64_t dims[] = { peft_image_height(im), peft_image_width(im), peft_segmenter_classes(s) };
    peft_tensor *t;
    *label = check_alloc(malloc((size_t)(dims[0] * dims[1] * dims[2])));
    must(peft_tensor_wrap(ctx, PEFT_U8, 3, dims, *label, &t));
    const peft_status status = peft_segmenter_targets(s, im, thresholds, t);
    peft_tensor_free(t);
    if (!status) return PEFT_OK;
    free(*label);
    *label = NULL;
    return status;
}

peft_status label_pixels(peft_context *ctx, peft_segmenter *s, const peft_image *im, const double *thresholds,
                         uint8_t **label)
{
    peft_image *classes;
    *label = NULL;
    if (!strcmp(peft_segmenter_link(s), "sigmoid")) return several_labels(ctx, s, im, thresholds, label);
    const peft_status status = peft_segmenter_labels(s, im, &classes);
    if (status) return status;
    const size_t pixels = (size_t)(peft_image_height(im) * peft_image_width(im));
    *label = memcpy(check_alloc(malloc(pixels)), peft_image_pixels(classes), pixels);
    peft_image_free(classes);
    return PEFT_OK;
}
