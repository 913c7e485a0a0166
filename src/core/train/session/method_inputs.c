/* SPDX-License-Identifier: Apache-2.0
 * method_inputs.c -- inputs that a method declares (peft_sys_input) and that the application gives in addition to the
 * images: stores copies of them, and binds these to a graph. */
#include <stdio.h>
#include <string.h>
#include "core/train/session/compiled.h"

peft_status pf_method_inputs_create(pf_method_inputs *all, const pf_compiled *c)
{
    const pf_graph *g = &c->exec.g;
    *all = (pf_method_inputs){ .batch = c->batch, .count = c->method_input_count };
    for (int i = 0; i < all->count; i++) {
        pf_method_input *in = &all->item[i];
        const pf_input *declared = &g->input[c->method_input[i]];
        snprintf(in->name, sizeof in->name, "%s", declared->name);
        in->shape = pf_v(g, declared->value)->shape;
        in->per_sample = pf_shape_count(&in->shape) / all->batch;
        const size_t bytes = (size_t)(all->batch * in->per_sample) * sizeof *in->data;
        in->data = pf_alloc_zero(g->ctx, bytes);
        if (!in->data) return pf_nomem(in->name, bytes);
    }
    return PEFT_OK;
}

size_t pf_method_inputs_bytes(const pf_method_inputs *all)
{
    size_t bytes = 0;
    for (int i = 0; i < all->count; i++)
        bytes += (size_t)(all->batch * all->item[i].per_sample) * sizeof *all->item[i].data;
    return bytes;
}

void pf_method_inputs_free(pf_method_inputs *all, peft_context *ctx)
{
    for (int i = 0; i < all->count; i++) pf_free(ctx, all->item[i].data);
    all->count = 0;
}

/* Returns PEFT_E_NOTFOUND; the message lists the inputs that the model has. */
static peft_status unknown_input(const pf_method_inputs *all, const char *name)
{
    char known[PF_INPUTS_MAX * (sizeof all->item[0].name + 2)] = "images alone";
    for (int i = 0, used = 0; i < all->count && used < (int)sizeof known; i++)
        used += snprintf(known + used, sizeof known - (size_t)used, "%s%s", i ? ", " : "", all->item[i].name);
    return pf_fail(PEFT_E_NOTFOUND, "input '%.60s': the model has no such input, expected %s", name, known);
}

/* Checks that v has 1 to batch samples and, behind them, the declared extents. */
static peft_status check_value(const pf_method_input *in, const peft_tensor *v)
{
    char given[96], expected[96];
    const pf_shape *s = &in->shape;
    bool fits = v->ndim == s->ndim && v->dim[0] >= 1 && v->dim[0] <= s->dim[0];
    if (v->type != PEFT_F32 && v->type != PEFT_F64)
        return pf_fail(PEFT_E_DTYPE, "%s: given %s, expected f32", in->name, pf_dtype_name(v->type));
    for (int i = 1; i < s->ndim && fits; i++) fits = v->dim[i] == s->dim[i];
    if (fits) return PEFT_OK;
    pf_dims_text(expected, sizeof expected, s->ndim, s->dim);
    const char *behind_bracket = expected + 1;               /* "[4, 3, 32, 32]" is printed as "[1..4, 3, 32, 32]" */
    return pf_fail(PEFT_E_SHAPE, "%s: given %s, expected [1..%s", in->name,
                   pf_dims_text(given, sizeof given, v->ndim, v->dim), behind_bracket);
}

peft_status pf_method_inputs_set(pf_method_inputs *all, const char *name, const peft_tensor *v)
{
    int i = 0;
    if (!name || !v) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", name ? "value" : "name");
    while (i < all->count && strcmp(all->item[i].name, name)) i++;
    if (i == all->count) return unknown_input(all, name);
    pf_method_input *in = &all->item[i];
    PF_TRY(check_value(in, v));
    in->n = v->dim[0];
    pf_to_real(in->data, v->data, v->type, in->n * in->per_sample);
    const int64_t missing = all->batch - in->n;                /* samples up to the full batch, which are zeros */
    memset(in->data + in->n * in->per_sample, 0, (size_t)(missing * in->per_sample) * sizeof *in->data);
    return PEFT_OK;
}

peft_status pf_method_inputs_bind(const pf_method_inputs *all, pf_compiled *c, int64_t n)
{
    return pf_method_inputs_bind_from(all, c, n, 0);
}

peft_status pf_method_inputs_bind_from(const pf_method_inputs *all, pf_compiled *c, int64_t n, int64_t first)
{
    for (int i = 0; i < all->count; i++) {
        const pf_method_input *in = &all->item[i];
        if (in->n != n)
            return pf_fail(PEFT_E_STATE, "%s: given for %lld samples, expected %lld; set this input before each call",
                           in->name, (long long)in->n, (long long)n);
        pf_exec_bind_input(&c->exec, c->method_input[i], in->data + first * in->per_sample);
    }
    return PEFT_OK;
}
