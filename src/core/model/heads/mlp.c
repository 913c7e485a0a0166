/* SPDX-License-Identifier: Apache-2.0
 * mlp.c -- hidden layers of linear, ReLU and batch norm, as wide as the backbone, then a linear layer. */
#include <stdio.h>
#include "core/model/model.h"

enum { STEM = 64 };                                    /* bytes of a prefix */

/* Prefixes of the tensors' names of hidden layer i, of its linear layer and its batch norm: "head.projection.0" and
 * "head.projection.2" for layer 0, "head.projection.4" and "head.projection.6" for layer 1. Each layer
 * has four numbers, of which the second (ReLU) and the fourth name no tensors. */
static void stems(int64_t i, char linear[STEM], char norm[STEM])
{
    snprintf(linear, STEM, "head.projection.%lld", (long long)(4 * i));
    snprintf(norm, STEM, "head.projection.%lld", (long long)(4 * i + 2));
}

static peft_status declare(peft_model *m, const char *init, pf_source *source)
{
    const int64_t d = pf_feature_width(m);
    char linear[STEM], norm[STEM];
    for (int64_t i = 0; i < m->spec.layers; i++) {
        stems(i, linear, norm);
        PF_TRY(pf_head_add_weight_and_bias(m, linear, d, d, init, "zero", source));
        PF_TRY(pf_head_add_weight_and_bias(m, norm, d, PF_NO_COLS, "one", "zero", source));
        PF_TRY(pf_head_add_statistics(m, norm, d, source));
    }
    return pf_head_add_weight_and_bias(m, "head.last_layer", m->classes, d, init, "zero", source);
}

static pf_val emit(const peft_model *m, pf_graph *g, const pf_val *x)
{
    const double eps = 1e-5;
    pf_val y = x[0];
    char linear[STEM], norm[STEM];
    for (int64_t i = 0; i < m->spec.layers; i++) {
        stems(i, linear, norm);
        y = peft_sys_activate(g, pf_head_linear_of(m, g, y, linear), "relu");
        y = pf_head_batch_norm(m, g, y, norm, eps, false);
    }
    return pf_head_linear_of(m, g, y, "head.last_layer");
}

const pf_head pf_head_mlp = { .name = "mlp", .options = "head head_init head_layers pool", .init = "kaiming_out",
    .declare = declare, .emit = emit };
