/* SPDX-License-Identifier: Apache-2.0
 * map_parts.c -- parts of heads that compute maps: sizes, convolutions with batch norm, the last layer. */
#include <stdio.h>
#include "core/model/model.h"

enum { STEM = 64 };                                    /* bytes of a prefix of tensors' names */
enum { PUBLISHED_WIDTH = 256 };                        /* of the hidden maps of SETR's decoders */

pf_grid pf_head_patches(const peft_model *m) { return pf_vit_grid(&m->backbone->shape); }
pf_grid pf_head_pixels(const peft_model *m) { return m->backbone->shape.image; }

int64_t pf_head_width(const peft_model *m) { return m->spec.width ? m->spec.width : PUBLISHED_WIDTH; }

peft_status pf_head_add_conv(peft_model *m, const char *stem, int64_t out, int64_t in, int64_t k, const char *init,
                             pf_source *source)
{
    char norm[STEM];
    const char *rule = init ? init : "kaiming_out";
    snprintf(norm, sizeof norm, "%s.bn", stem);
    PF_TRY(pf_head_add_weight(m, stem, k == 1 ? PEFT_DIMS(out, in) : PEFT_DIMS(out, in, k, k), rule, source));
    PF_TRY(pf_head_add_weight_and_bias(m, norm, out, PF_NO_COLS, "one", "zero", source));
    return pf_head_add_statistics(m, norm, out, source);
}

pf_val pf_head_conv_of(const peft_model *m, pf_graph *g, pf_val x, pf_grid size, const char *stem)
{
    const double eps = 1e-5;
    char norm[STEM];
    const pf_val weight = pf_head_tensor(m, g, stem, "weight");
    const bool linear = !g->status && pf_v(g, weight)->shape.ndim == 2;
    snprintf(norm, sizeof norm, "%s.bn", stem);
    x = linear ? peft_sys_linear(g, x, weight, PF_NONE) : pf_conv2d(g, x, size.h, size.w, weight, PF_NONE);
    return pf_head_batch_norm(m, g, x, norm, eps, true);
}

peft_status pf_head_add_classifier(peft_model *m, int64_t in, const char *init, pf_source *source)
{
    return pf_head_add_weight_and_bias(m, "head.classifier", m->classes, in, init ? init : "normal:0.01", "zero",
                                       source);
}

pf_val pf_head_classifier_of(const peft_model *m, pf_graph *g, pf_val x)
{
    return pf_head_linear_of(m, g, x, "head.classifier");
}

pf_val pf_head_enlarged(const peft_model *m, pf_graph *g, pf_val x, pf_grid size)
{
    const pf_grid pixels = pf_head_pixels(m);
    return pf_upsample(g, x, size.h, size.w, pixels.h, pixels.w);
}
