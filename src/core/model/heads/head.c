/* SPDX-License-Identifier: Apache-2.0
 * head.c -- parts that several heads use: their tensors, linear layers, batch norm. */
#include <stdio.h>
#include "core/model/model.h"

static peft_status tensor(peft_model *m, pf_params *list, const char *name, int64_t rows, int64_t cols,
                          const char *init, pf_source *source)
{
    pf_param *p;
    const int64_t dims[2] = { rows, cols };
    PF_TRY(pf_source_holds(source, name, cols ? 2 : 1, dims));
    PF_TRY(pf_param_make(m->backbone->ctx, list, name, "head", cols ? 2 : 1, dims, &p));
    p->buffer = list == &m->buffers;
    return source && !p->buffer ? PEFT_OK : pf_param_draw(m->backbone->ctx, p, init);
}

peft_status pf_head_statistics(peft_model *m, const char *stem, int64_t d, pf_source *source)
{
    char name[96];
    snprintf(name, sizeof name, "%s.running_mean", stem);
    PF_TRY(tensor(m, &m->buffers, name, d, 0, "zero", source));
    snprintf(name, sizeof name, "%s.running_var", stem);
    return tensor(m, &m->buffers, name, d, 0, "one", source);
}

peft_status pf_head_pair(peft_model *m, const char *stem, int64_t rows, int64_t cols, const char *weight,
                         const char *bias, pf_source *source)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", stem);
    PF_TRY(tensor(m, &m->params, name, rows, cols, weight, source));
    snprintf(name, sizeof name, "%s.bias", stem);
    return tensor(m, &m->params, name, rows, 0, bias, source);
}

static pf_val use(const peft_model *m, pf_graph *g, const char *stem, const char *end)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", stem, end);
    pf_param *p = pf_params_find(&m->params, name);
    if (!p) p = pf_params_find(&m->buffers, name);
    return p ? peft_sys_param(g, p) : PF_NONE;
}

pf_val pf_head_linear_of(const peft_model *m, pf_graph *g, pf_val x, const char *stem)
{
    return peft_sys_linear(g, x, use(m, g, stem, "weight"), use(m, g, stem, "bias"));
}

pf_val pf_head_batch_norm(const peft_model *m, pf_graph *g, pf_val x, const char *stem, double eps)
{
    const pf_attr a = { .f = { eps, 0.1 } };
    const pf_val in[] = { x, use(m, g, stem, "weight"), use(m, g, stem, "bias"),
                          use(m, g, stem, "running_mean"), use(m, g, stem, "running_var") };
    return pf_emit(g, &pf_op_batchnorm, &a, 5, in);
}
