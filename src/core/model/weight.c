/* SPDX-License-Identifier: Apache-2.0
 * weight.c -- tensors as constants of a graph, and the backbone's tensors by name, with those that an adapter has
 * unfrozen as trained parameters. */
#include <string.h>
#include "core/bits/weight_reader.h"
#include "core/model/model.h"

pf_val pf_const(pf_graph *g, const peft_tensor *t)
{
    pf_shape s = { .ndim = t->ndim };
    memcpy(s.dim, t->dim, sizeof(int64_t) * PF_MAX_RANK);
    pf_val v = pf_value_new(g, PF_CONST, s);
    if (!pf_exists(v)) return v;
    pf_v(g, v)->type = pf_tensor_weight(t).type;
    pf_v(g, v)->data = t->data;
    pf_v(g, v)->scales = t->scales;
    return v;
}

const peft_tensor *pf_model_tensor(const peft_model *m, const char *name)
{
    for (size_t i = 0; i < m->adapters; i++) {
        const pf_param *p = pf_params_find(&m->adapter[i]->params, name);
        if (p) return &p->value;
    }
    return pf_backbone_find(m->backbone, name);
}

pf_val pf_model_weight(const peft_model *m, pf_graph *g, const char *name)
{
    const pf_overlay *o = g->overlay;
    pf_param *own = o && o->find ? o->find(o->user, name) : NULL;
    if (own) return pf_trained_value(g, own);
    for (size_t i = 0; i < m->adapters; i++) {
        pf_param *p = pf_params_find(&m->adapter[i]->params, name);
        if (p) return peft_sys_param(g, p);
    }
    const peft_tensor *t = pf_backbone_find(m->backbone, name);
    const pf_val v = t ? pf_const(g, t) : PF_NONE;
    if (pf_exists(v)) pf_v(g, v)->name = pf_weight_name(t);
    return v;
}
