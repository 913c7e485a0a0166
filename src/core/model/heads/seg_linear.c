/* SPDX-License-Identifier: Apache-2.0
 * seg_linear.c -- a class for each pixel: a linear layer on each patch token, whose map of logits is enlarged to the
 * image by bilinear interpolation. */
#include "core/model/model.h"

static peft_status declare(peft_model *m, const char *init, pf_source *source)
{
    return pf_head_add_weight_and_bias(m, "head", m->classes, m->backbone->shape.width, init, "zero", source);
}

static pf_val emit(const peft_model *m, pf_graph *g, const pf_val *x)
{
    return pf_head_enlarged(m, g, pf_head_linear_of(m, g, x[0], "head"), pf_head_patches(m));
}

const pf_head pf_head_seg_linear = { .name = "seg_linear", .options = "head head_init", .init = "normal:0.01",
    .reads = PF_READS_PATCHES, .of = PF_OF_PIXELS, .declare = declare, .emit = emit };
