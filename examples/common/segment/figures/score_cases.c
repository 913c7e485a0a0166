/* SPDX-License-Identifier: Apache-2.0
 * score_cases.c -- figures of the images of a data set (score_cases.h). */
#include "score_cases.h"
#include "common/decision/decision.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "common/segment/label_pixels.h"
#include "common/segment/mask_sets.h"
#include "case_means.h"
#include "evaluate_cases.h"
#include <math.h>
#include <stdlib.h>

/* What the images of a data set are segmented by. how: the thresholds of several labels a pixel. */
typedef struct scorer { peft_context *ctx; peft_segmenter *segmenter; decision how; } scorer;

static void score_image(case_evaluator *e, const scorer *by, const peft_dataset *d, int64_t i)
{
    peft_image *im;
    peft_mask *mask;
    uint8_t *label;
    must(peft_dataset_load(d, i, &im));
    must(peft_dataset_load_mask(d, i, im, &mask));
    const peft_status status = label_pixels(by->ctx, by->segmenter, im, by->how.thresholds, &label);
    if (status) fail("%s: %s (%s)", peft_dataset_name(d, i), peft_last_error(), peft_status_name(status));
    const char *patient = peft_dataset_has_groups(d) ? peft_dataset_group(d, i) : NULL;
    evaluate_picture(e, &(evaluated_picture){ peft_dataset_name(d, i), patient, im, label, mask });
    free(label);
    peft_mask_free(mask);
    peft_image_free(im);
}

static case_table score(peft_session *session, const peft_dataset *d, peft_transform *t, evaluation_rule rule)
{
    const peft_model *m = peft_session_model(session);
    const int64_t classes = label_classes(d);
    rule.several = peft_dataset_mask_multilabel(d);
    scorer by = { .ctx = peft_backbone_context(peft_model_backbone(m)),
                  .how = read_decision(rule.several ? peft_model_note(m, "decision") : NULL, classes, rule.several) };
    const char **name = check_alloc(malloc((size_t)classes * sizeof *name));
    for (int64_t c = 0; c < classes; c++) name[c] = label_class_name(d, c);
    must(peft_segmenter_create(session, t, NULL, &by.segmenter));
    case_evaluator *e = begin_evaluation(by.ctx, name, classes, &rule);
    for (int64_t i = 0; i < rule.pictures && !stop_requested; i++) score_image(e, &by, d, i);
    case_table f = end_evaluation(e);
    if (stop_requested) free_case_figures(&f);
    peft_segmenter_free(by.segmenter);
    free_decision(&by.how);
    free(name);
    return f;
}

case_table score_cases(peft_session *session, const peft_dataset *d, peft_transform *t, pixel_spacing spacing)
{
    const evaluation_rule rule = { .distances = true, .spacing = spacing, .pictures = peft_dataset_count(d) };
    return score(session, d, t, rule);
}

double judged_dice(peft_session *session, const peft_dataset *d, peft_transform *t, pixel_spacing spacing)
{
    const evaluation_rule rule = { .distances = false, .spacing = spacing, .pictures = peft_dataset_count(d) };
    case_table f = score(session, d, t, rule);
    const double dice = f.cases ? means_by_class(&f, CASE_DICE, NULL) : NAN;
    free_case_figures(&f);
    return dice;
}
