/* SPDX-License-Identifier: Apache-2.0
 * patch_linear.c -- one linear layer on each patch token: a class for each patch, as for segmentation. The tokens go
 * through the backbone's final norm first. */
#include "core/model/model.h"

static peft_status declare(peft_model *m, const char *init, pf_source *source)
{
    return pf_head_add_weight_and_bias(m, "head", m->classes, m->backbone->shape.width, init, "zero", source);
}

static pf_val emit(const peft_model *m, pf_graph *g, const pf_val *x) { return pf_head_linear_of(m, g, x[0], "head"); }

const pf_head pf_head_patch_linear = { .name = "patch_linear", .options = "head head_init", .init = "normal:0.01",
    .reads = PF_READS_PATCHES, .of = PF_OF_PATCHES, .declare = declare, .emit = emit };
