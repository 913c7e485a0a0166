/* SPDX-License-Identifier: Apache-2.0
 * validator.c -- scores held-out images during a training (validator.h). */
#include "validator.h"
#include "common/predictions/predictions.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include <stdio.h>
#include <stdlib.h>

struct validator {
    peft_session *session;
    peft_loader *loader;
    const peft_dataset *data;
    double *scores;                                           /* [count, classes]; of masks [1]: judged_dice */
    peft_transform *transform;
    pixel_spacing spacing;
};

validator *make_validator(const training_run *t, peft_dataset *d, pixel_spacing spacing)
{
    validator *v = check_alloc(calloc(1, sizeof *v));
    const int64_t count = peft_dataset_count(d), batch = count < 8 ? count : 8;
    char text[80];
    v->data = d;
    snprintf(text, sizeof text, "batch=%lld,threads=%d", (long long)batch, t->loader_threads);
    must(peft_loader_create(d, t->transform, text, &v->loader));
    peft_options *o = empty_options(t->ctx);
    must(peft_options_set_int(o, "batch", batch));
    must(peft_session_create(t->model, o, &v->session));
    peft_options_free(o);
    v->transform = t->transform;
    v->spacing = spacing;
    const int64_t scores = peft_dataset_has_masks(d) ? 1 : count * peft_dataset_classes(d);
    v->scores = check_alloc(malloc((size_t)scores * sizeof *v->scores));
    return v;
}

void free_validator(validator *v)
{
    if (!v) return;
    peft_session_free(v->session);
    peft_loader_free(v->loader);
    free(v->scores);
    free(v);
}

case_table validate_cases(validator *v)
{
    return score_cases(v->session, v->data, v->transform, v->spacing);
}

const double *validate(validator *v)
{
    if (peft_dataset_has_masks(v->data)) *v->scores = judged_dice(v->session, v->data, v->transform, v->spacing);
    else must(predict_images(v->session, v->loader, v->data, NULL, v->scores));
    return stop_requested ? NULL : v->scores;
}
