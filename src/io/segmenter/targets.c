/* SPDX-License-Identifier: Apache-2.0
 * targets.c -- which labels each pixel has, by a threshold for each class (peft_segmenter_targets). */
#include "io/segmenter/segmenter.h"

/* Where the rows of a call go: out [height, width, classes]. */
typedef struct decided { uint8_t *out; const double *thresholds; } decided;

static peft_status keep_targets(int64_t first, const peft_tensor *labels, const peft_tensor *probabilities, void *user)
{
    const decided *d = user;
    const float *p = peft_tensor_cdata(probabilities);
    const int64_t classes = peft_tensor_dim(probabilities, 2), count = peft_tensor_count(probabilities);
    uint8_t *to = d->out + first * peft_tensor_dim(probabilities, 1) * classes;
    (void)labels;
    for (int64_t i = 0; i < count; i++) to[i] = (double)p[i] >= (d->thresholds ? d->thresholds[i % classes] : 0.5);
    return PEFT_OK;
}

peft_status peft_segmenter_targets(peft_segmenter *s, const peft_image *im, const double *thresholds, peft_tensor *out)
{
    if (!s || !im || !out)
        return io_fail(PEFT_E_INVALID, "segmenter: %s is NULL", !s ? "segmenter" : !im ? "image" : "out");
    if (!s->predictor->multi_label)
        return io_fail(PEFT_E_UNSUPPORTED, "segmenter: the model gives a pixel one of %lld classes (link softmax), not "
                       "several labels; use peft_segmenter_labels", (long long)s->classes);
    for (int64_t k = 0; thresholds && k < s->classes; k++)
        if (!(thresholds[k] >= 0 && thresholds[k] <= 1))
            return io_fail(PEFT_E_INVALID, "segmenter: the threshold of class %lld is %g, expected 0 to 1",
                           (long long)k, thresholds[k]);
    const peft_status status = io_check_map(s, im, out, PEFT_U8);
    return status ? status
                  : peft_segmenter_rows(s, im, 1, keep_targets, &(decided){ peft_tensor_data(out), thresholds });
}
