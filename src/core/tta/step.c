/* SPDX-License-Identifier: Apache-2.0
 * step.c -- the parts of a step of adaptation that kinds share: forward and backward pass, loss, update. */
#include <math.h>
#include <string.h>
#include "core/tta/adaptor.h"

peft_status pf_tta_check(const peft_adaptor *a)
{
    return a ? PEFT_OK : pf_fail(PEFT_E_INVALID, "adaptor is NULL: expected a pointer");
}

void pf_tta_forward(peft_adaptor *a) { pf_exec_run(&a->net.exec, 0, a->net.loss_end); }
void pf_tta_backward(peft_adaptor *a) { pf_exec_run(&a->net.exec, a->net.loss_end, a->net.exec.g.nodes); }

void pf_tta_copy_from(const peft_adaptor *a, pf_val v, int64_t n, pk_real *logits)
{
    memcpy(logits, pf_exec_data(&a->net.exec, v), (size_t)(n * pf_shape_count(&a->model->output)) * sizeof *logits);
}

void pf_tta_copy_logits(const peft_adaptor *a, int64_t n, pk_real *logits)
{
    pf_tta_copy_from(a, a->net.logits, n, logits);
}

peft_status pf_tta_read_loss(peft_adaptor *a)
{
    const double loss = (double)pf_exec_data(&a->net.exec, a->net.loss)[0];
    if (!isfinite(loss))
        return pf_fail(PEFT_E_NONFINITE, "the loss is %s in batch %lld: nothing was updated; look for NaN or Inf in "
                       "the model's parameters and for very large pixels in the images, or reset the adaptor",
                       isnan(loss) ? "NaN" : "infinite", (long long)a->batches);
    a->loss = loss;
    return PEFT_OK;
}

peft_status pf_tta_update(peft_adaptor *a)
{
    const pf_update u = { .engine = &a->engine, .optimizer = &a->optimizer, .trained = a->trained,
                          .trained_count = a->params.count, .step = a->updates, .grad_scale = 1, .lr = a->lr };
    if (!isfinite(pf_gradient_norm(&u)))
        return pf_fail(PEFT_E_NONFINITE, "the gradients hold NaN or Inf in batch %lld: nothing was updated; reset "
                       "the adaptor or restore an earlier state, then lower lr", (long long)a->batches);
    const char *nonfinite = pf_update_all(&u);
    a->updates++;
    if (!nonfinite) return PEFT_OK;
    return pf_fail(PEFT_E_NONFINITE, "the update of batch %lld made NaN or Inf in tensor '%s': reset the adaptor or "
                   "restore an earlier state, then lower lr", (long long)a->batches, nonfinite);
}

peft_status pf_tta_bind(peft_adaptor *a, pf_compiled *c, pf_extents *e, const peft_tensor *images, int64_t n)
{
    const int64_t of_image = 3 * pf_vit_pixels(&a->model->backbone->shape);
    const pk_real *pixels = pf_as_real(images, a->images);
    const int64_t *const no_ids = NULL;                        /* test images have no sample ids */
    PF_TRY(pf_check_pixels(pixels, of_image, no_ids, n));
    if (n != c->exec.g.batch && !pf_extents_set(e, n))
        return pf_fail(PEFT_E_UNSUPPORTED, "a batch of %lld images: the graph of a method of this model has another "
                       "structure for fewer than %lld images; expected full batches", (long long)n,
                       (long long)a->batch);
    PF_TRY(pf_method_inputs_bind(&a->method_inputs, c, n));
    pf_exec_bind_input(&c->exec, c->images, pixels);
    return pf_exec_check_inputs(&c->exec);
}
