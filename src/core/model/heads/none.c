/* SPDX-License-Identifier: Apache-2.0
 * none.c -- no head: the graph ends with the pooled feature, and the model makes no logits (classes is 0). */
#include "core/model/model.h"

static pf_val emit(const peft_model *m, pf_graph *g, const pf_val *x)
{
    (void)m, (void)g;
    return x[0];
}

/* A backbone that is merged from such a model has no classifier, so that none of its tensors is asked for. */
static const peft_tensor *merge(const peft_model *m, const char *name)
{
    (void)m, (void)name;
    return NULL;
}

const pf_head pf_head_none = { .name = "none", .options = "head pool", .emit = emit, .merge = merge };
