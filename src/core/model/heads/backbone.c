/* SPDX-License-Identifier: Apache-2.0
 * backbone.c -- heads without parameters: the backbone's own frozen classifier (classes=0), and side_encoder, for a
 * method whose network computes the logits itself. */
#include "core/model/model.h"

static pf_val emit(const peft_model *m, pf_graph *g, const pf_val *x)
{
    return peft_sys_linear(g, x[0], pf_model_weight(m, g, "head.weight"), pf_model_weight(m, g, "head.bias"));
}

static const peft_tensor *merge(const peft_model *m, const char *name) { return pf_backbone_find(m->backbone, name); }

const pf_head pf_head_backbone = { .name = "backbone", .options = "pool", .emit = emit, .merge = merge };
const pf_head pf_head_side_encoder = { .name = "side_encoder", .options = "head pool" };
