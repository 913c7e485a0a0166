/* SPDX-License-Identifier: Apache-2.0
 * parts.c -- the parts of an adaptor's state as named tensors: its own tensors with their moments, the statistics of
 * training images, and what its kind adds. */
#include <stdio.h>
#include <string.h>
#include "core/tta/adaptor.h"

/* Visits value and moments of the adaptor's tensors. */
static peft_status each_tensor(const peft_adaptor *a, pf_tta_visit visit, void *user)
{
    char name[160];
    for (size_t i = 0; i < a->params.count; i++) {
        const pf_param *p = a->params.item[i];
        const struct { const char *prefix; void *data; } parts[] = {
            { "param.", p->value.data }, { "moment1.", a->trained ? a->trained[i].m : NULL },
            { "moment2.", a->trained ? a->trained[i].v : NULL } };
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
            pf_tta_part part = { .name = name, .type = PF_REAL, .ndim = p->value.ndim, .data = parts[k].data };
            if (!part.data) continue;
            memcpy(part.dim, p->value.dim, sizeof part.dim);
            snprintf(name, sizeof name, "%s%s", parts[k].prefix, p->name);
            PF_TRY(visit(user, &part));
        }
    }
    return PEFT_OK;
}

static peft_status each_statistic(const peft_adaptor *a, pf_tta_visit visit, void *user)
{
    const pf_vit_shape *v = &a->model->backbone->shape;
    const pf_statistics *t = &a->statistics;
    const struct { const char *name; double *data; } parts[] = {
        { "source.mean", t->mean }, { "source.squares", t->squares }, { "source.deviation", t->deviation } };
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        PF_TRY(visit(user, &(pf_tta_part){ .name = parts[k].name, .type = PEFT_F64, .ndim = 2,
                                           .dim = { v->depth, v->width }, .data = parts[k].data }));
    return visit(user, &(pf_tta_part){ .name = "source.rows", .type = PEFT_I64, .ndim = 1, .dim = { v->depth },
                                       .data = (void *)(uintptr_t)t->rows, .low = 0, .high = PF_TTA_MAX_COUNT });
}

peft_status pf_tta_each(const peft_adaptor *a, pf_tta_visit visit, void *user)
{
    PF_TRY(each_tensor(a, visit, user));
    if (a->taps) PF_TRY(each_statistic(a, visit, user));
    return a->kind->each ? a->kind->each((peft_adaptor *)(uintptr_t)a, visit, user) : PEFT_OK;
}
