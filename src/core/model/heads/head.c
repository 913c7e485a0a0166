/* SPDX-License-Identifier: Apache-2.0
 * head.c -- parts of heads: parameters and buffers, linear layers, batch norm. */
#include <stdio.h>
#include "core/model/model.h"

enum { NAME = 96 };                                    /* bytes of a tensor's name */

/* Adds a tensor to list, which is m->params or m->buffers. dims end with 0. */
static peft_status add_tensor(peft_model *m, pf_params *list, const char *name, const int64_t *dims, const char *init,
                              pf_source *source)
{
    pf_param *p;
    int ndim = 0;
    while (dims[ndim]) ndim++;
    PF_TRY(pf_source_check(source, name, ndim, dims));
    PF_TRY(pf_param_make(m->backbone->ctx, list, name, "head", ndim, dims, &p));
    p->buffer = list == &m->buffers;
    /* a buffer has initial values even if a file is read next, as in adapt/declare.c */
    return source && !p->buffer ? PEFT_OK : pf_param_draw(m->backbone->ctx, p, init);
}

peft_status pf_head_add_statistics(peft_model *m, const char *stem, int64_t d, pf_source *source)
{
    char name[NAME];
    snprintf(name, sizeof name, "%s.running_mean", stem);
    PF_TRY(add_tensor(m, &m->buffers, name, PEFT_DIMS(d), "zero", source));
    snprintf(name, sizeof name, "%s.running_var", stem);
    return add_tensor(m, &m->buffers, name, PEFT_DIMS(d), "one", source);
}

peft_status pf_head_add_weight(peft_model *m, const char *stem, const int64_t *dims, const char *init,
                               pf_source *source)
{
    char name[NAME];
    snprintf(name, sizeof name, "%s.weight", stem);
    return add_tensor(m, &m->params, name, dims, init, source);
}

peft_status pf_head_add_weight_and_bias(peft_model *m, const char *stem, int64_t rows, int64_t cols, const char *weight,
                                        const char *bias, pf_source *source)
{
    char name[NAME];
    PF_TRY(pf_head_add_weight(m, stem, PEFT_DIMS(rows, cols), weight, source));
    snprintf(name, sizeof name, "%s.bias", stem);
    return add_tensor(m, &m->params, name, PEFT_DIMS(rows), bias, source);
}

pf_val pf_head_tensor(const peft_model *m, pf_graph *g, const char *stem, const char *suffix)
{
    char name[NAME];
    snprintf(name, sizeof name, "%s.%s", stem, suffix);
    pf_param *p = pf_params_find(&m->params, name);
    if (!p) p = pf_params_find(&m->buffers, name);
    return p ? peft_sys_param(g, p) : PF_NONE;
}

pf_val pf_head_linear_of(const peft_model *m, pf_graph *g, pf_val x, const char *stem)
{
    return peft_sys_linear(g, x, pf_head_tensor(m, g, stem, "weight"), pf_head_tensor(m, g, stem, "bias"));
}

pf_val pf_head_batch_norm(const peft_model *m, pf_graph *g, pf_val x, const char *stem, double eps, bool relu)
{
    const double momentum = 0.1;                          /* of the running statistics, as by default in torch */
    const pf_val in[] = { x, pf_head_tensor(m, g, stem, "weight"), pf_head_tensor(m, g, stem, "bias"),
                          pf_head_tensor(m, g, stem, "running_mean"), pf_head_tensor(m, g, stem, "running_var") };
    if (g->status) return PF_NONE;
    if (g->overlay && g->overlay->batch_norm) return g->overlay->batch_norm(g->overlay->user, g, in, eps, relu);
    return pf_batchnorm(g, in, eps, momentum, relu);
}
