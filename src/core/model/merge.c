/* SPDX-License-Identifier: Apache-2.0
 * merge.c -- folding adapters into a new backbone (LoRA, DoRA, IA3, SSF, AttnScale and offsets, unfrozen tensors, the
 * linear head), and writing a backbone. The original is never touched, so there is nothing to undo. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/model/model.h"
#include "core/model/state.h"

struct pf_merge { peft_backbone *to; const pf_method *method; peft_status status; };

pk_real *pf_merge_tensor(pf_merge *m, const char *format, ...)
{
    char name[PF_NAME_MAX];
    va_list ap;
    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    const peft_tensor *t = pf_backbone_find(m->to, name);
    if (!t) pf_merge_refuse(m, "the backbone has no tensor to fold it into (a bias that is absent)");
    return t ? t->data : NULL;
}

bool pf_merge_has(const pf_merge *m, const char *name) { return pf_backbone_find(m->to, name) != NULL; }
const pk_real *pf_merge_value(const pf_param *p) { return p->value.data; }

void pf_merge_refuse(pf_merge *m, const char *reason)
{
    if (!m->status) m->status = pf_fail(PEFT_E_UNSUPPORTED, "method '%s' cannot be merged: %s", m->method->name, reason);
}

/* Copies of the tensors that an adapter trains in their place. */
static void take_unfrozen(pf_merge *m, const peft_adapter *a)
{
    for (size_t i = 0; i < a->params.count; i++) {
        const peft_tensor *t = pf_backbone_find(m->to, a->params.item[i]->name);
        if (t) memcpy(t->data, a->params.item[i]->value.data, pf_tensor_bytes(t));
        else if (!a->method->merge) pf_merge_refuse(m, "it does more than change weights of the backbone");
    }
}

/* The new backbone's tensor i: the head's, or the old backbone's of that name (norm and fc_norm stand for each other). */
static peft_status copy_tensor(const peft_model *m, peft_backbone *to, size_t i)
{
    const char *name = to->weight[i].name;
    char other[PF_NAME_MAX + 4];
    const bool fc = !strncmp(name, "fc_", 3);
    const peft_tensor *from = pf_backbone_find(m->backbone, name);
    if (m->head == PF_HEAD_LINEAR && pf_is_classifier(name)) from = &pf_params_find(&m->params, name)->value;
    if (!from) {
        snprintf(other, sizeof other, "%s%s", fc ? "" : "fc_", fc ? name + 3 : name);
        from = pf_backbone_find(m->backbone, other);
    }
    if (!from || !pf_backbone_own(to, i)) return from ? PEFT_E_NOMEM : pf_fail(PEFT_E_INTERNAL, "tensor '%s' has no source", name);
    memcpy(to->weight[i].tensor.data, from->data, pf_tensor_bytes(from));
    return PEFT_OK;
}

static peft_status fold(const peft_model *m, peft_backbone *to)
{
    const pf_vit vit = pf_vit_of(&m->backbone->shape);
    for (size_t i = 0; i < to->weights; i++) PF_TRY(copy_tensor(m, to, i));
    for (size_t i = 0; i < m->adapters; i++) {
        pf_merge merge = { .to = to, .method = m->adapter[i]->method };
        take_unfrozen(&merge, m->adapter[i]);
        if (!merge.status && merge.method->merge) merge.method->merge(m->adapter[i]->state, &merge, &vit, m->adapters > 1);
        PF_TRY(merge.status);
    }
    return PEFT_OK;
}

peft_status peft_model_merge(const peft_model *m, peft_backbone **out)
{
    if (!m || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "out" : "model");
    if (m->head != PF_HEAD_LINEAR && m->head != PF_HEAD_BACKBONE)
        return pf_fail(PEFT_E_UNSUPPORTED, "head %s cannot be merged: a backbone holds a linear classifier", pf_head_name[m->head]);
    pf_vit_shape s = m->backbone->shape;
    peft_backbone *b;
    s.classes = m->classes;
    s.mean_pool = m->mean_pool;
    PF_TRY(pf_backbone_alloc(m->backbone->ctx, &s, &b));
    peft_status status = fold(m, b);
    memcpy(b->resample, m->backbone->resample, sizeof b->resample);
    if (status) peft_backbone_free(b);
    else *out = b;
    return status;
}

/* timm names; the facts that the weights do not tell stand in the header, where loading looks for them. */
static peft_status fill(const peft_backbone *b, pf_st_out *o)
{
    const pf_vit_shape *s = &b->shape;
    char eps[32];
    pf_print_float(eps, sizeof eps, s->eps);
    PF_TRY(pf_st_out_meta(o, "format", "pt"));
    PF_TRY(pf_st_out_meta(o, "eps", eps));
    PF_TRY(pf_st_out_meta(o, "act", s->act == PK_QUICKGELU ? "quickgelu" : "gelu"));
    PF_TRY(pf_st_out_meta(o, "pool", s->mean_pool ? "mean" : "cls"));
    PF_TRY(pf_meta_number(o, "heads", s->heads));
    PF_TRY(pf_meta_number(o, "patch", s->patch));
    for (size_t i = 0; i < b->weights; i++) {
        const peft_tensor *t = &b->weight[i].tensor;
        if (!pf_finite(t->data, peft_tensor_count(t)))
            return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf: not saved", b->weight[i].name);
        PF_TRY(pf_st_out_tensor(o, b->weight[i].name, PF_REAL, t->ndim, t->dim, t->data));
    }
    return PEFT_OK;
}

peft_status peft_backbone_save(const peft_backbone *b, const char *path)
{
    pf_st_out *o;
    if (!b || !path) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", b ? "path" : "backbone");
    PF_TRY(pf_st_out_create(b->ctx, &o));
    peft_status s = fill(b, o);
    if (!s) s = pf_st_out_write(o, path);
    pf_st_out_free(o);
    return s ? pf_within(s, "%s", path) : PEFT_OK;
}
