/* SPDX-License-Identifier: Apache-2.0
 * emit.c -- the labels and probabilities of finished rows, which the caller's function gets. */
#include "io/segmenter/segmenter.h"
#include <math.h>

/* The class of a pixel: the largest of its logits; of a single class, whether its logit is at least 0. */
static uint8_t label_of(const float *logit, int64_t classes)
{
    if (classes == 1) return logit[0] >= 0;
    int64_t best = 0;
    for (int64_t k = 1; k < classes; k++)
        if (logit[k] > logit[best]) best = k;
    return (uint8_t)best;
}

/* Turns the logits of a pixel into probabilities, in place. */
static void to_probabilities(float *v, int64_t classes, bool each_by_itself)
{
    float largest = v[0];
    double e[IO_SEGMENT_CLASSES], sum = 0;
    for (int64_t k = 1; k < classes; k++)
        if (v[k] > largest) largest = v[k];
    for (int64_t k = 0; k < classes && !each_by_itself; k++) sum += e[k] = exp((double)v[k] - (double)largest);
    for (int64_t k = 0; k < classes; k++) v[k] = (float)(each_by_itself ? 1 / (1 + exp(-(double)v[k])) : e[k] / sum);
}

bool io_has_labels(const peft_segmenter *s) { return !s->predictor->multi_label || s->classes == 1; }

/* Probabilities take the place of the logits, which are not needed any more. */
peft_status io_emit(const io_emission *e, io_band *band, int64_t first, int64_t count)
{
    const peft_segmenter *s = e->s;
    const int64_t pixels = count * band->width, classes = s->classes, skipped = (first - band->first) * band->width;
    float *logits = band->logits + skipped * classes;
    peft_tensor *labels = NULL, *probabilities = NULL;
    peft_status status = PEFT_OK;
    for (int64_t i = 0; i < pixels; i++) band->labels[i] = label_of(logits + i * classes, classes);
    for (int64_t i = 0; i < pixels && e->with_probabilities; i++)
        to_probabilities(logits + i * classes, classes, s->predictor->multi_label);
    if (io_has_labels(s))
        status = peft_tensor_wrap(s->ctx, PEFT_U8, 2, (int64_t[]){ count, band->width }, band->labels, &labels);
    if (!status && e->with_probabilities)
        status = peft_tensor_wrap(s->ctx, PEFT_F32, 3, (int64_t[]){ count, band->width, classes }, logits,
                                  &probabilities);
    if (!status) status = e->fn(first, labels, probabilities, e->user);
    peft_tensor_free(labels);
    peft_tensor_free(probabilities);
    return status;
}
