/* SPDX-License-Identifier: Apache-2.0
 * predict.c -- peft_adaptor_predict: binds a batch of images to the graph and lets the kind adapt on it; and
 * peft_adaptor_input, which keeps a further input for these calls. */
#include "core/model/locks.h"
#include "core/tta/adaptor.h"

peft_status peft_adaptor_predict(peft_adaptor *a, const peft_tensor *images, peft_tensor *logits)
{
    PK_FLOAT_SCOPE;
    int64_t n;
    PF_TRY(pf_tta_check(a));
    PF_TRY(pf_check_images(a->model, images, a->batch, &n));
    PF_TRY(pf_check_result(&a->model->output, logits, n));
    if (a->taps) PF_TRY(pf_tta_needs_source(a));
    PF_TRY(pf_tta_bind(a, &a->net, &a->extents, images, n));
    const double start = pk_seconds();
    pf_model_lock_read(a->model);
    const peft_status s = a->kind->predict(a, n, logits->data);
    pf_model_unlock(a->model);
    a->seconds = pk_seconds() - start;
    if (s) return s;
    a->batches++;
    a->images_seen += n;
    return pf_check_finite(logits->data, n, pf_shape_count(&a->model->output), "logit of class", a->model->classes);
}

peft_status peft_adaptor_input(peft_adaptor *a, const char *name, const peft_tensor *value)
{
    PF_TRY(pf_tta_check(a));
    return pf_method_inputs_set(&a->method_inputs, name, value);
}
