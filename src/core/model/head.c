/* SPDX-License-Identifier: Apache-2.0
 * head.c -- from the pooled feature to logits: linear; batch norm without affine part, then
 * linear; or hidden layers of linear, ReLU, batch norm. Or the backbone's own classifier, frozen. */
#include <stdio.h>
#include <string.h>
#include "core/model/model.h"

const char *const pf_head_name[] = { "backbone", "linear", "bn_linear", "mlp", "side_encoder", NULL };

static peft_status tensor(peft_model *m, pf_params *list, const char *name, int64_t rows, int64_t cols,
                          const char *init, pf_source *source)
{
    pf_param *p;
    const int64_t dims[2] = { rows, cols };
    PF_TRY(pf_source_holds(source, name, cols ? 2 : 1, dims));
    PF_TRY(pf_param_make(m->backbone->ctx, list, name, "head", cols ? 2 : 1, dims, &p));
    return source && list == &m->params ? PEFT_OK : pf_param_draw(m->backbone->ctx, p, init);
}

static peft_status statistics(peft_model *m, const char *stem, int64_t d, pf_source *source)
{
    char name[96];
    snprintf(name, sizeof name, "%s.running_mean", stem);
    PF_TRY(tensor(m, &m->buffers, name, d, 0, "zero", source));
    snprintf(name, sizeof name, "%s.running_var", stem);
    return tensor(m, &m->buffers, name, d, 0, "one", source);
}

static peft_status pair(peft_model *m, const char *stem, int64_t rows, int64_t cols, const char *weight,
                        const char *bias, pf_source *source)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", stem);
    PF_TRY(tensor(m, &m->params, name, rows, cols, weight, source));
    snprintf(name, sizeof name, "%s.bias", stem);
    return tensor(m, &m->params, name, rows, 0, bias, source);
}

static peft_status mlp_make(peft_model *m, const char *init, pf_source *source)
{
    int64_t d = m->backbone->shape.width;
    char stem[64];
    for (int64_t i = 0; i < m->head_layers; i++) {
        snprintf(stem, sizeof stem, "head.projection.%lld", (long long)(4 * i));
        PF_TRY(pair(m, stem, d, d, init, "zero", source));
        snprintf(stem, sizeof stem, "head.projection.%lld", (long long)(4 * i + 2));
        PF_TRY(pair(m, stem, d, 0, "one", "zero", source));
        PF_TRY(statistics(m, stem, d, source));
    }
    return pair(m, "head.last_layer", m->classes, d, init, "zero", source);
}

peft_status pf_head_make(peft_model *m, const char *init, pf_source *source)
{
    static const char *const usual[] = { "", "normal:0.01", "trunc_normal:0.01", "kaiming_out", "" };
    int64_t d = m->backbone->shape.width;
    if (!strcmp(init, "auto")) init = usual[m->head];
    switch (m->head) {
    case PF_HEAD_LINEAR: return pair(m, "head", m->classes, d, init, "zero", source);
    case PF_HEAD_MLP:    return mlp_make(m, init, source);
    case PF_HEAD_BN_LINEAR:
        PF_TRY(statistics(m, "head.0", d, source));
        return pair(m, "head.1", m->classes, d, init, "zero", source);
    default: return PEFT_OK;
    }
}

static pf_val use(const peft_model *m, pf_graph *g, const char *stem, const char *end)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", stem, end);
    pf_param *p = pf_params_find(&m->params, name);
    if (p) return peft_use(g, p);
    p = pf_params_find(&m->buffers, name);
    return p ? pf_const(g, &p->value) : PF_NONE;
}

static pf_val linear(const peft_model *m, pf_graph *g, pf_val x, const char *stem)
{
    return peft_linear(g, x, use(m, g, stem, "weight"), use(m, g, stem, "bias"));
}

static pf_val batch_norm(const peft_model *m, pf_graph *g, pf_val x, const char *stem, double eps)
{
    const pf_attr a = { .f = { eps, 0.1 } };
    const pf_val in[] = { x, use(m, g, stem, "weight"), use(m, g, stem, "bias"),
                          use(m, g, stem, "running_mean"), use(m, g, stem, "running_var") };
    return pf_emit(g, &pf_op_batchnorm, &a, 5, in);
}

pf_val pf_head_forward(const peft_model *m, pf_graph *g, pf_val x)
{
    char stem[64];
    switch (m->head) {
    case PF_HEAD_LINEAR:    return linear(m, g, x, "head");
    case PF_HEAD_BN_LINEAR: return linear(m, g, batch_norm(m, g, x, "head.0", 1e-6), "head.1");
    case PF_HEAD_MLP:
        for (int64_t i = 0; i < m->head_layers; i++) {
            snprintf(stem, sizeof stem, "head.projection.%lld", (long long)(4 * i));
            x = peft_activate(g, linear(m, g, x, stem), "relu");
            snprintf(stem, sizeof stem, "head.projection.%lld", (long long)(4 * i + 2));
            x = batch_norm(m, g, x, stem, 1e-5);
        }
        return linear(m, g, x, "head.last_layer");
    default:
        return peft_linear(g, x, pf_model_weight(m, g, "head.weight"), pf_model_weight(m, g, "head.bias"));
    }
}
