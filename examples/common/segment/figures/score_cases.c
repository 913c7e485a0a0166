/* SPDX-License-Identifier: Apache-2.0
 * score_cases.c -- figures of the images of a data set (score_cases.h). */
#include "score_cases.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "common/segment/mask_sets.h"
#include "judge_cases.h"
#include <stdlib.h>

static void score_image(case_judge *j, peft_segmenter *segmenter, const peft_dataset *d, int64_t i)
{
    peft_image *im, *labels;
    peft_mask *mask;
    must(peft_dataset_load(d, i, &im));
    must(peft_dataset_load_mask(d, i, im, &mask));
    const peft_status status = peft_segmenter_labels(segmenter, im, &labels);
    if (status) fail("%s: %s (%s)", peft_dataset_name(d, i), peft_last_error(), peft_status_name(status));
    judge_picture(j, &(judged_picture){ peft_dataset_name(d, i),
                                        peft_dataset_has_groups(d) ? peft_dataset_group(d, i) : NULL, im,
                                        peft_image_pixels(labels), mask });
    peft_image_free(labels);
    peft_mask_free(mask);
    peft_image_free(im);
}

static case_table score(peft_session *session, const peft_dataset *d, peft_transform *t, const judge_rule *rule)
{
    peft_segmenter *segmenter;
    const int64_t classes = label_classes(d);
    const char **name = check_alloc(malloc((size_t)classes * sizeof *name));
    for (int64_t c = 0; c < classes; c++) name[c] = label_class_name(d, c);
    must(peft_segmenter_create(session, t, NULL, &segmenter));
    case_judge *j = begin_judging(peft_backbone_context(peft_model_backbone(peft_session_model(session))), name,
                                  classes, rule);
    for (int64_t i = 0; i < rule->pictures && !stop_requested; i++) score_image(j, segmenter, d, i);
    case_table f = end_judging(j);
    if (stop_requested) free_case_figures(&f);
    peft_segmenter_free(segmenter);
    free(name);
    return f;
}

case_table score_cases(peft_session *session, const peft_dataset *d, peft_transform *t, bool distances)
{
    return score(session, d, t, &(judge_rule){ .distances = distances, .pictures = peft_dataset_count(d) });
}

case_table score_spaced_cases(peft_session *session, const peft_dataset *d, peft_transform *t,
                                pixel_spacing spacing)
{
    return score(session, d, t, &(judge_rule){ true, spacing, peft_dataset_count(d) });
}
