/* SPDX-License-Identifier: Apache-2.0
 * linear.c -- one linear layer on the pooled feature. */
#include "core/model/model.h"

static peft_status declare(peft_model *m, const char *init, pf_source *source)
{
    return pf_head_add_weight_and_bias(m, "head", m->classes, pf_feature_width(m), init, "zero", source);
}

static pf_val emit(const peft_model *m, pf_graph *g, const pf_val *x) { return pf_head_linear_of(m, g, x[0], "head"); }

/* The head's tensors have the names of a backbone's classifier: head.weight, head.bias. */
static const peft_tensor *merge(const peft_model *m, const char *name)
{
    const pf_param *p = pf_params_find(&m->params, name);
    return p ? &p->value : NULL;
}

const pf_head pf_head_linear = { .name = "linear", .options = "head head_init pool", .init = "normal:0.01",
    .declare = declare, .emit = emit, .merge = merge };
