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

/* Is this the scale or shift of a LayerNorm? Under timm's names only these contain "norm". */
static bool is_norm(const pf_tensor_spec *t) { return strstr(t->name, "norm"); }

/* PEFT_E_UNSUPPORTED: a method of the model has declared this norm with other extents. */
static peft_status check_norm(const peft_adaptor *a, const pf_tensor_spec *t)
{
    const peft_tensor *from = pf_model_tensor(a->model, t->name);
    char given[96], expected[96];
    if (from->ndim == t->ndim && !memcmp(from->dim, t->dim, sizeof *t->dim * (size_t)t->ndim)) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "kind=%s adapts tensor '%s', which a method of the model has replaced: given "
                   "%s, expected %s, the extents of the backbone's", a->kind->name, t->name,
                   pf_dims_text(given, sizeof given, from->ndim, from->dim),
                   pf_dims_text(expected, sizeof expected, t->ndim, t->dim));
}

peft_status pf_tta_norms(peft_adaptor *a)
{
    const pf_vit_shape *v = &a->model->backbone->shape;
    pf_tensor_spec t;
    pf_param *p;
    for (size_t i = 0; pf_vit_tensor(v, i, &t); i++) {
        if (!is_norm(&t)) continue;
        PF_TRY(check_norm(a, &t));
        PF_TRY(pf_tta_tensor(a, t.name, t.ndim, t.dim, &p));
    }
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
    pf_tensor_spec t;
    for (size_t i = 0; pf_vit_tensor(&a->model->backbone->shape, i, &t); i++) {
        pf_param *p = is_norm(&t) ? pf_params_find(&a->params, t.name) : NULL;
        const peft_tensor *from = p ? pf_model_tensor(a->model, t.name) : NULL;
        if (p) pf_to_real(p->value.data, from->data, from->type, peft_tensor_count(from));
    }
    if (a->slab) memset(a->slab, 0, a->slab_bytes);
}
