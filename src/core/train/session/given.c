/* SPDX-License-Identifier: Apache-2.0
 * given.c -- inputs that a method declares (peft_sys_input) and that the application gives in addition to the
 * images. */
#include <stdio.h>
#include <string.h>
#include "core/train/session/compiled.h"

peft_status pf_given_create(pf_given *s, const pf_compiled *c)
{
    const pf_graph *g = &c->exec.g;
    *s = (pf_given){ .batch = c->batch, .count = c->given_count };
    for (int i = 0; i < s->count; i++) {
        pf_given_input *in = &s->item[i];
        const pf_input *declared = &g->input[c->given[i]];
        snprintf(in->name, sizeof in->name, "%s", declared->name);
        in->shape = pf_v(g, declared->value)->shape;
        in->per_sample = pf_shape_count(&in->shape) / s->batch;
        const size_t bytes = (size_t)(s->batch * in->per_sample) * sizeof *in->data;
        in->data = pf_alloc_zero(g->ctx, bytes);
        if (!in->data) return pf_nomem(in->name, bytes);
    }
    return PEFT_OK;
}

size_t pf_given_bytes(const pf_given *s)
{
    size_t bytes = 0;
    for (int i = 0; i < s->count; i++) bytes += (size_t)(s->batch * s->item[i].per_sample) * sizeof *s->item[i].data;
    return bytes;
}

void pf_given_free(pf_given *s, peft_context *ctx)
{
    for (int i = 0; i < s->count; i++) pf_free(ctx, s->item[i].data);
    s->count = 0;
}

/* PEFT_E_NOTFOUND, with the inputs that the model has. */
static peft_status unknown_input(const pf_given *s, const char *name)
{
    char known[PF_INPUTS_MAX * (sizeof s->item[0].name + 2)] = "images alone";
    for (int i = 0, used = 0; i < s->count && used < (int)sizeof known; i++)
        used += snprintf(known + used, sizeof known - (size_t)used, "%s%s", i ? ", " : "", s->item[i].name);
    return pf_fail(PEFT_E_NOTFOUND, "input '%.60s': the model has no such input, expected %s", name, known);
}

/* Checks that v is [1..batch, ..] with the declared extents. */
static peft_status check(const pf_given_input *in, const peft_tensor *v)
{
    char given[96], expected[96];
    const pf_shape *s = &in->shape;
    bool fits = v->ndim == s->ndim && v->dim[0] >= 1 && v->dim[0] <= s->dim[0];
    if (v->type != PEFT_F32 && v->type != PEFT_F64)
        return pf_fail(PEFT_E_DTYPE, "%s: given %s, expected f32", in->name, pf_dtype_name(v->type));
    for (int i = 1; i < s->ndim && fits; i++) fits = v->dim[i] == s->dim[i];
    if (fits) return PEFT_OK;
    pf_dims_text(expected, sizeof expected, s->ndim, s->dim);
    return pf_fail(PEFT_E_SHAPE, "%s: given %s, expected [1..%s", in->name,
                   pf_dims_text(given, sizeof given, v->ndim, v->dim), expected + 1);
}

peft_status pf_given_set(pf_given *s, const char *name, const peft_tensor *v)
{
    int i = 0;
    if (!name || !v) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", name ? "value" : "name");
    while (i < s->count && strcmp(s->item[i].name, name)) i++;
    if (i == s->count) return unknown_input(s, name);
    pf_given_input *in = &s->item[i];
    PF_TRY(check(in, v));
    in->n = v->dim[0];
    pf_to_real(in->data, v->data, v->type, in->n * in->per_sample);
    memset(in->data + in->n * in->per_sample, 0, (size_t)((s->batch - in->n) * in->per_sample) * sizeof *in->data);
    return PEFT_OK;
}

peft_status pf_given_bind(const pf_given *s, pf_compiled *c, int64_t n, int64_t first)
{
    for (int i = 0; i < s->count; i++) {
        const pf_given_input *in = &s->item[i];
        if (in->n != n)
            return pf_fail(PEFT_E_STATE, "%s: given for %lld samples, expected %lld; set this input before each call",
                           in->name, (long long)in->n, (long long)n);
        pf_exec_bind_input(&c->exec, c->given[i], in->data + first * in->per_sample);
    }
    return PEFT_OK;
}
