/* SPDX-License-Identifier: Apache-2.0
 * tensors.c -- the tensors and other memory of an adaptor: copies of the backbone's norms, gradients, moments. */
#include <string.h>
#include "core/tta/adaptor.h"

void *pf_tta_memory(peft_adaptor *a, const char *what, size_t bytes, peft_status *s)
{
    void *p = a->blocks < PF_TTA_BLOCKS ? pf_alloc_zero(a->ctx, bytes) : NULL;
    *s = p ? PEFT_OK : pf_nomem(what, bytes);
    if (!p) return NULL;
    a->block_bytes += bytes;
    a->block[a->blocks++] = p;
    return p;
}

peft_status pf_tta_tensor(peft_adaptor *a, const char *name, int ndim, const int64_t *dims, pf_param **out)
{
    return pf_param_make(a->ctx, &a->params, name, pf_param_group_of(name), ndim, dims, out);
}

peft_status pf_tta_norms(peft_adaptor *a)
{
    const pf_vit_shape *v = &a->model->backbone->shape;
    pf_tensor_spec t;
    pf_param *p;
    for (size_t i = 0; pf_vit_tensor(v, i, &t); i++)
        if (strstr(t.name, "norm")) PF_TRY(pf_tta_tensor(a, t.name, t.ndim, t.dim, &p));
    return PEFT_OK;
}

peft_status pf_tta_slots(peft_adaptor *a)
{
    if (!a->kind->trains) return PEFT_OK;
    int64_t elements = 0;
    const int moments = pf_optimizer_moments(&a->optimizer);
    for (size_t i = 0; i < a->params.count; i++) elements += peft_tensor_count(&a->params.item[i]->value);
    a->slab_bytes = (size_t)(elements * (1 + moments)) * sizeof(pk_real);
    a->trained = pf_alloc_zero(a->ctx, a->params.count * sizeof *a->trained);
    a->slab = pf_alloc_zero(a->ctx, a->slab_bytes);
    if (!a->trained || !a->slab) return pf_nomem("gradients and moments", a->slab_bytes);
    pk_real *gradient = a->slab;
    for (size_t i = 0; i < a->params.count; i++) {
        pf_param *p = a->params.item[i];
        pf_trained *s = &a->trained[i];
        *s = (pf_trained){ .p = p, .count = peft_tensor_count(&p->value), .m = gradient + elements, .lr_scale = 1,
                        .weight_decay = a->optimizer.weight_decay };
        if (moments > 1) s->v = gradient + 2 * elements;
        p->grad.data = gradient;
        gradient += s->count;
    }
    return PEFT_OK;
}

void pf_tta_copy_tensors(peft_adaptor *a)
{
    for (size_t i = 0; i < a->params.count; i++) {
        pf_param *p = a->params.item[i];
        const peft_tensor *t = pf_model_tensor(a->model, p->name);
        if (t) pf_to_real(p->value.data, t->data, t->type, peft_tensor_count(t));
    }
    if (a->slab) memset(a->slab, 0, a->slab_bytes);
}
