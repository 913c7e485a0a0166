/* SPDX-License-Identifier: Apache-2.0
 * side.c -- the second input of methods with a side network of their own. */
#include <string.h>
#include "core/train/session/compiled.h"

peft_status pf_side_create(pf_side *s, const pf_compiled *c)
{
    const pf_graph *g = &c->exec.g;
    *s = (pf_side){ .batch = c->batch };
    for (uint32_t id = 1; id < g->values; id++)
        if (g->value[id].kind == PF_INPUT && g->value[id].slot == PF_IN_SIDE) s->side = g->value[id].shape.dim[3];
    if (!s->side) return PEFT_OK;
    s->room = pf_alloc_zero(g->ctx, pf_side_bytes(s));
    return s->room ? PEFT_OK : pf_nomem("side_images", pf_side_bytes(s));
}

size_t pf_side_bytes(const pf_side *s) { return (size_t)(s->batch * 3 * s->side * s->side) * sizeof *s->room; }

void pf_side_free(pf_side *s, peft_context *ctx)
{
    pf_free(ctx, s->room);
    s->room = NULL;
}

peft_status pf_side_set(pf_side *s, const char *name, const peft_tensor *v)
{
    char given[96];
    if (!name || !v) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", name ? "value" : "name");
    if (strcmp(name, "side_images") || !s->room)
        return pf_fail(PEFT_E_NOTFOUND, "input '%s': the model takes %s", name,
                       s->room ? "side_images" : "images only");
    if (v->type != PEFT_F32 && v->type != PEFT_F64)
        return pf_fail(PEFT_E_DTYPE, "side_images: given %s, expected f32", pf_dtype_name(v->type));
    if (v->ndim != 4 || v->dim[0] < 1 || v->dim[0] > s->batch || v->dim[1] != 3 || v->dim[2] != s->side
        || v->dim[3] != s->side)
        return pf_fail(PEFT_E_SHAPE, "side_images: given %s, expected [1..%lld, 3, %lld, %lld]",
                       pf_dims_text(given, sizeof given, v->ndim, v->dim), (long long)s->batch, (long long)s->side,
                       (long long)s->side);
    int64_t one = 3 * s->side * s->side;
    s->n = v->dim[0];
    pf_to_real(s->room, v->data, v->type, s->n * one);
    memset(s->room + s->n * one, 0, (size_t)((s->batch - s->n) * one) * sizeof *s->room);
    return PEFT_OK;
}

peft_status pf_side_bind(const pf_side *s, pf_compiled *c, int64_t n, int64_t first)
{
    if (!s->room) return PEFT_OK;
    if (s->n != n)
        return pf_fail(PEFT_E_STATE, "side_images: given for %lld samples, expected %lld; set them before each call",
                       (long long)s->n, (long long)n);
    pf_exec_input(&c->exec, PF_IN_SIDE, s->room + first * 3 * s->side * s->side);
    return PEFT_OK;
}
