/* SPDX-License-Identifier: Apache-2.0
 * map_scores.c -- Dice of each image and class (map_figures.h). */
#include "map_figures.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include <math.h>
#include <stdlib.h>

/* Adds the pixels of one image to counts [classes, 3]: of the mask, of the prediction, of both. */
static void count_pixels(const int64_t *mask, const uint8_t *label, int64_t pixels, int64_t *counts)
{
    for (int64_t i = 0; i < pixels; i++) {
        if (mask[i] < 0) continue;
        counts[3 * mask[i]]++;
        counts[3 * label[i] + 1]++;
        if (mask[i] == label[i]) counts[3 * mask[i] + 2]++;
    }
}

/* Dice [classes] of image i. */
static void score_map(peft_segmenter *s, const peft_dataset *d, int64_t i, double *dice)
{
    const int64_t classes = peft_dataset_mask_classes(d);
    peft_image *im, *labels;
    peft_mask *mask;
    must(peft_dataset_load(d, i, &im));
    must(peft_dataset_load_mask(d, i, im, &mask));
    const peft_status status = peft_segmenter_labels(s, im, &labels);
    if (status) fail("%s: %s (%s)", peft_dataset_name(d, i), peft_last_error(), peft_status_name(status));
    const int64_t pixels = peft_image_width(im) * peft_image_height(im);
    int64_t *truth = check_alloc(malloc((size_t)pixels * sizeof *truth));
    int64_t *counts = check_alloc(calloc((size_t)classes * 3, sizeof *counts));
    must(peft_mask_labels(mask, truth));
    count_pixels(truth, peft_image_pixels(labels), pixels, counts);
    for (int64_t c = 0; c < classes; c++) {
        const int64_t *n = counts + 3 * c;
        dice[c] = n[0] + n[1] ? 2 * (double)n[2] / (double)(n[0] + n[1]) : NAN;
    }
    free(counts);
    free(truth);
    peft_image_free(labels);
    peft_mask_free(mask);
    peft_image_free(im);
}

double *score_maps(peft_session *session, const peft_dataset *d, peft_transform *t)
{
    const int64_t classes = peft_dataset_mask_classes(d), count = peft_dataset_count(d);
    peft_segmenter *s;
    double *dice = check_alloc(malloc((size_t)(count * classes) * sizeof *dice));
    must(peft_segmenter_create(session, t, NULL, &s));
    for (int64_t i = 0; i < count && !stop_requested; i++) score_map(s, d, i, dice + i * classes);
    peft_segmenter_free(s);
    if (!stop_requested) return dice;
    free(dice);
    return NULL;
}

double mean_dice(const double *dice, int64_t images, int64_t classes)
{
    double sum = 0;
    int64_t defined = 0;
    for (int64_t c = classes > 1; c < classes; c++) {
        double of_class = 0;
        int64_t n = 0;
        for (int64_t i = 0; i < images; i++)
            if (!isnan(dice[i * classes + c])) of_class += dice[i * classes + c], n++;
        if (n) sum += of_class / (double)n, defined++;
    }
    return defined ? sum / (double)defined : NAN;
}
