/* SPDX-License-Identifier: Apache-2.0
 * setr_naive.c -- the naive decoder of SETR (Zheng et al., CVPR 2021): a linear layer on each patch token to 256
 * columns, batch norm and ReLU, a linear layer to the classes, and bilinear interpolation of the logits to the image.
 * As mmsegmentation builds it: no dropout, no bias before the batch norm; without its auxiliary heads. */
#include "core/model/model.h"

static peft_status declare(peft_model *m, const char *init, pf_source *source)
{
    const int64_t d = m->backbone->shape.width, width = pf_head_width(m), kernel = 1;
    PF_TRY(pf_head_add_conv(m, "head.hidden", width, d, kernel, init, source));
    return pf_head_add_classifier(m, width, init, source);
}

static pf_val emit(const peft_model *m, pf_graph *g, const pf_val *x)
{
    const pf_grid patches = pf_head_patches(m);
    const pf_val hidden = pf_head_conv_of(m, g, x[0], patches, "head.hidden");
    return pf_head_enlarged(m, g, pf_head_classifier_of(m, g, hidden), patches);
}

const pf_head pf_head_setr_naive = { .name = "setr_naive", .options = "head head_init head_width",
    .reads = PF_READS_PATCHES, .of = PF_OF_PIXELS, .declare = declare, .emit = emit };
