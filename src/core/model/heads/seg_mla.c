/* SPDX-License-Identifier: Apache-2.0
 * seg_mla.c -- the multi-level aggregation of SETR (Zheng et al., CVPR 2021). The patch tokens of several blocks
 * (option head_blocks) go through a LayerNorm and a linear layer to head_width columns each; from the last block down
 * these maps are added, and each partial sum goes through a convolution of 3 x 3 to head_width columns and two to
 * head_width / 2. A linear layer classifies the results side by side; the logits are enlarged by four, then to the
 * image. Batch norm and ReLU follow all convolutions and the linear layers but the classifier. As mmsegmentation builds
 * it: no dropout, no bias before the batch norm; without its auxiliary heads.
 *
 * mmsegmentation: the other order, the enlargement by four before the classifier. Both are linear, the one over columns
 * and the other over pixels with weights that add up to 1, so that the results differ only by rounding; here the map
 * that is enlarged has `classes` columns instead of head_width / 2 a level. */
#include <stdio.h>
#include "core/model/model.h"

enum { KERNEL = 3, POINT = 1, FACTOR = 4, STEM = 64 };

/* The prefix of the tensors of a part of level i: "head.level.0.norm". */
static const char *stem_of(int i, const char *part, char stem[STEM])
{
    snprintf(stem, STEM, "head.level.%d.%s", i, part);
    return stem;
}

static peft_status declare_level(peft_model *m, int i, const char *init, pf_source *source)
{
    const int64_t d = m->backbone->shape.width, width = pf_head_width(m);
    char stem[STEM];
    PF_TRY(pf_head_add_weight_and_bias(m, stem_of(i, "norm", stem), d, PF_NO_COLS, "one", "zero", source));
    PF_TRY(pf_head_add_conv(m, stem_of(i, "proj", stem), width, d, POINT, init, source));
    PF_TRY(pf_head_add_conv(m, stem_of(i, "merge", stem), width, width, KERNEL, init, source));
    PF_TRY(pf_head_add_conv(m, stem_of(i, "conv.0", stem), width / 2, width, KERNEL, init, source));
    return pf_head_add_conv(m, stem_of(i, "conv.1", stem), width / 2, width / 2, KERNEL, init, source);
}

static peft_status declare(peft_model *m, const char *init, pf_source *source)
{
    const int64_t width = pf_head_width(m);
    if (width % 2)
        return pf_fail(PEFT_E_OPTION, "head_width: given %lld, expected an even number: the last maps of seg_mla have "
                       "half as many columns", (long long)width);
    for (int i = 0; i < m->spec.blocks; i++) PF_TRY(declare_level(m, i, init, source));
    return pf_head_add_classifier(m, m->spec.blocks * (width / 2), init, source);
}

/* x of one level, normalised and projected. */
static pf_val project(const peft_model *m, pf_graph *g, pf_val x, int i)
{
    const double eps = 1e-6;
    char stem[STEM];
    stem_of(i, "norm", stem);
    x = peft_sys_layernorm(g, x, pf_head_tensor(m, g, stem, "weight"), pf_head_tensor(m, g, stem, "bias"), eps);
    return pf_head_conv_of(m, g, x, pf_head_patches(m), stem_of(i, "proj", stem));
}

/* The last maps of all levels side by side. */
static pf_val side_by_side(const peft_model *m, pf_graph *g, const pf_val *level)
{
    if (g->status || m->spec.blocks == 1) return level[0];
    pf_attr a = { .shape = pf_v(g, level[0])->shape };
    const int64_t cols = pf_cols(g, level[0]);
    for (int i = 0; i < m->spec.blocks; i++) a.i[i] = i * cols;
    a.shape.dim[2] = m->spec.blocks * cols;
    return pf_emit(g, &pf_op_concat_cols, &a, m->spec.blocks, level);
}

static pf_val emit(const peft_model *m, pf_graph *g, const pf_val *x)
{
    const pf_grid patches = pf_head_patches(m), larger = { FACTOR * patches.h, FACTOR * patches.w };
    pf_val sum = PF_NONE, level[PF_HEAD_BLOCKS_MAX];
    char stem[STEM];
    for (int i = m->spec.blocks - 1; i >= 0; i--) {
        sum = peft_sys_add(g, sum, project(m, g, x[i], i));
        pf_val y = pf_head_conv_of(m, g, sum, patches, stem_of(i, "merge", stem));
        y = pf_head_conv_of(m, g, y, patches, stem_of(i, "conv.0", stem));
        level[i] = pf_head_conv_of(m, g, y, patches, stem_of(i, "conv.1", stem));
    }
    const pf_val logits = pf_head_classifier_of(m, g, side_by_side(m, g, level));
    return pf_head_enlarged(m, g, pf_upsample(g, logits, patches.h, patches.w, larger.h, larger.w), larger);
}

const pf_head pf_head_seg_mla = { .name = "seg_mla", .options = "head head_init head_width head_blocks",
    .reads = PF_READS_BLOCKS, .of = PF_OF_PIXELS, .declare = declare, .emit = emit };
