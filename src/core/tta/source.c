/* SPDX-License-Identifier: Apache-2.0
 * source.c -- peft_adaptor_source: runs the model as it is on training images and adds the taps to the statistics; and
 * peft_adaptor_store_source, which stores them in the model. */
#include <string.h>
#include "core/bits/finite.h"
#include "core/model/locks.h"
#include "core/tta/adaptor.h"

/* PEFT_E_NONFINITE: a feature is NaN or Inf. */
static peft_status check_features(const peft_adaptor *a)
{
    for (int64_t l = 0; l < a->model->backbone->shape.depth; l++) {
        const pf_val tap = a->source_tap[l];
        const pf_shape *s = &pf_v(&a->source.exec.g, tap)->shape;
        if (!pf_finite(pf_exec_data(&a->source.exec, tap), pf_shape_count(s)))
            return pf_fail(PEFT_E_NONFINITE, "a feature of block %lld is NaN or Inf: look for them in the model's "
                           "parameters; nothing was added", (long long)l);
    }
    return PEFT_OK;
}

/* PEFT_E_UNSUPPORTED: the kind uses no statistics. */
static peft_status check_uses_source(const peft_adaptor *a)
{
    PF_TRY(pf_tta_check(a));
    if (a->taps) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "kind=%s uses no statistics of training images%s: leave peft_adaptor_source out",
                   a->kind->name, a->kind->taps ? " with align=batch_norm" : "");
}

peft_status peft_adaptor_source(peft_adaptor *a, const peft_tensor *images)
{
    PK_FLOAT_SCOPE;
    int64_t n;
    PF_TRY(check_uses_source(a));
    PF_TRY(pf_check_images(a->model, images, a->batch, &n));
    PF_TRY(pf_tta_bind(a, &a->source, &a->source_extents, images, n));
    pf_model_lock_read(a->model);
    pf_exec_run(&a->source.exec, 0, a->source.exec.g.nodes);
    const uint64_t checksum = pf_model_checksum(a->model);
    pf_model_unlock(a->model);
    PF_TRY(check_features(a));
    pf_tta_statistics_add(a, n, checksum);
    return PEFT_OK;
}

peft_status peft_adaptor_store_source(peft_adaptor *a)
{
    PF_TRY(check_uses_source(a));
    PF_TRY(pf_tta_needs_source(a));
    const pf_vit_shape *v = &a->model->backbone->shape;
    const size_t bytes = (size_t)pf_tta_features(a) * sizeof(double);
    pf_source_statistics made, *stored = pf_tta_stored(a);
    PF_TRY(pf_source_make(&made, a->ctx, v->depth, v->width));
    memcpy(made.mean, a->statistics.mean, bytes);
    memcpy(made.deviation, a->statistics.deviation, bytes);
    made.images = a->statistics.images;
    made.model_checksum = a->statistics.model_checksum;
    pf_model_lock_write(a->model);
    const peft_status s = pf_tta_check_source(a);
    pf_source_free(s ? &made : stored, a->ctx);
    if (!s) *stored = made;
    pf_model_unlock(a->model);
    return s;
}
