/* SPDX-License-Identifier: Apache-2.0
 * bn_linear.c -- batch norm without affine part, then a linear layer: the head of MAE's linear probing. */
#include "core/model/model.h"

static peft_status declare(peft_model *m, const char *init, pf_source *source)
{
    const int64_t d = pf_feature_width(m);
    PF_TRY(pf_head_add_statistics(m, "head.0", d, source));
    return pf_head_add_weight_and_bias(m, "head.1", m->classes, d, init, "zero", source);
}

static pf_val emit(const peft_model *m, pf_graph *g, const pf_val *x)
{
    const double eps = 1e-6;
    return pf_head_linear_of(m, g, pf_head_batch_norm(m, g, x[0], "head.0", eps, false), "head.1");
}

const pf_head pf_head_bn_linear = { .name = "bn_linear", .options = "head head_init pool", .init = "trunc_normal:0.01",
    .declare = declare, .emit = emit };
