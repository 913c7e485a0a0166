/* SPDX-License-Identifier: Apache-2.0
 * tent.c -- Tent (Wang et al., ICLR 2021): fully test-time adaptation by entropy minimisation. Each batch makes one
 * step of SGD with momentum on the scale and shift of every LayerNorm, down the gradient of the mean entropy of the
 * predictions. As in the published code the predictions are those before the step. Learning rate: that of Niu et al.
 * (ICML 2024) for ViT-B/16 with batches of 64. */
#include <string.h>
#include "core/graph/loss/loss.h"
#include "core/tta/adaptor.h"

typedef struct { bool after; } tent;     /* predictions are those after the step */

static const pf_opt options[] = {
    { "lr", 'f', "0.001", 0, 1e6, "learning rate of the norms' scale and shift" },
    { "momentum", 'f', "0.9", 0, 1, "factor of the last update's direction" },
    { "predict", 's', "before", 0, 0, "predictions of the model before or after the update that a batch makes; after "
      "costs a second forward pass" },
    { 0 } };

static peft_status create(peft_adaptor *a)
{
    tent *t = a->state;
    const char *predict = pf_tta_string(a, "predict");
    t->after = !strcmp(predict, "after");
    if (!t->after && strcmp(predict, "before"))
        return pf_fail(PEFT_E_OPTION, "predict: given '%s', expected before or after", predict);
    if (a->model->classes < 2)
        return pf_fail(PEFT_E_UNSUPPORTED, "kind=tent: the model has 1 class, and the entropy of its softmax is always "
                       "0; expected 2 classes or more");
    a->optimizer = (pf_optimizer){ .momentum = pf_tta_float(a, "momentum") };
    a->lr = pf_tta_float(a, "lr");
    return pf_tta_norms(a);
}

static void finish(peft_adaptor *a, pf_graph *g, pf_val logits)
{
    (void)a;
    pf_loss_add(g, peft_sys_entropy(g, logits), 1);
}

static peft_status predict(peft_adaptor *a, int64_t n, pk_real *logits)
{
    const tent *t = a->state;
    pf_tta_forward(a);
    pf_tta_copy_logits(a, n, logits);
    PF_TRY(pf_tta_read_loss(a));
    pf_tta_backward(a);
    PF_TRY(pf_tta_update(a));
    if (!t->after) return PEFT_OK;
    pf_tta_forward(a);
    pf_tta_copy_logits(a, n, logits);
    return PEFT_OK;
}

const pf_tta_kind pf_tta_tent = { .name = "tent", .summary = "entropy of the predictions, minimised over the norms",
    .paper = "arXiv:2006.10726", .options = options, .softmax = true, .trains = true, .state_size = sizeof(tent),
    .create = create, .finish = finish, .predict = predict };
