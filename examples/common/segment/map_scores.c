/* SPDX-License-Identifier: Apache-2.0
 * map_scores.c -- Dice of each image and class (map_figures.h), by <peft/segmentation.h>. */
#include "map_figures.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include <math.h>
#include <stdlib.h>

/* What scores are computed with. figures: of one image at a time. */
typedef struct scorer {
    peft_context *ctx;
    peft_segmenter *segmenter;
    peft_segmentation *figures;
    peft_options *rule;                /* NaN for a class that neither mask nor prediction has */
    int64_t classes;
} scorer;

/* Dice [classes] of image i. */
static void score_map(const scorer *s, const peft_dataset *d, int64_t i, double *dice)
{
    peft_segment *segments = check_alloc(malloc((size_t)s->classes * sizeof *segments));
    peft_image *im, *labels;
    peft_mask *mask;
    peft_tensor *predicted, *truth;
    must(peft_dataset_load(d, i, &im));
    must(peft_dataset_load_mask(d, i, im, &mask));
    const peft_status status = peft_segmenter_labels(s->segmenter, im, &labels);
    if (status) fail("%s: %s (%s)", peft_dataset_name(d, i), peft_last_error(), peft_status_name(status));
    const int64_t dims[] = { peft_image_height(im), peft_image_width(im) };
    must(peft_tensor_create(s->ctx, PEFT_I64, 2, dims, &truth));
    must(peft_mask_labels(mask, peft_tensor_data(truth)));
    must(peft_tensor_wrap(s->ctx, PEFT_U8, 2, dims, (void *)(uintptr_t)peft_image_pixels(labels), &predicted));
    must(peft_segmentation_add(s->figures, predicted, truth, NULL));
    must(peft_segmentation_case(s->figures, segments, (size_t)s->classes));
    must(peft_segmentation_values(segments, s->classes, "dice", s->rule, dice));
    peft_tensor_free(predicted);
    peft_tensor_free(truth);
    peft_image_free(labels);
    peft_mask_free(mask);
    peft_image_free(im);
    free(segments);
}

double *score_maps(peft_session *session, const peft_dataset *d, peft_transform *t)
{
    const int64_t count = peft_dataset_count(d);
    const int no_distances = 0;
    scorer s = { .ctx = peft_backbone_context(peft_model_backbone(peft_session_model(session))),
                 .classes = peft_dataset_mask_classes(d) };
    double *dice = check_alloc(malloc((size_t)(count * s.classes) * sizeof *dice));
    must(peft_segmenter_create(session, t, NULL, &s.segmenter));
    must(peft_segmentation_create(s.ctx, s.classes, no_distances, &s.figures));
    must(peft_options_create(s.ctx, &s.rule));
    must(peft_options_parse(s.rule, "absent=both"));
    for (int64_t i = 0; i < count && !stop_requested; i++) score_map(&s, d, i, dice + i * s.classes);
    peft_options_free(s.rule);
    peft_segmentation_free(s.figures);
    peft_segmenter_free(s.segmenter);
    if (!stop_requested) return dice;
    free(dice);
    return NULL;
}

double means_of_maps(const double *dice, int64_t images, int64_t classes, double *means)
{
    double sum = 0;
    int64_t defined = 0;
    must(peft_metrics_values(dice, images, classes, "mean", means, (size_t)classes));
    for (int64_t c = classes > 1; c < classes; c++)
        if (!isnan(means[c])) sum += means[c], defined++;
    return defined ? sum / (double)defined : NAN;
}

double mean_dice(const double *dice, int64_t images, int64_t classes)
{
    double *means = check_alloc(malloc((size_t)classes * sizeof *means));
    const double mean = means_of_maps(dice, images, classes, means);
    free(means);
    return mean;
}
