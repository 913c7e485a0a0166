/* SPDX-License-Identifier: Apache-2.0
 * added.c -- losses beside that of the labels: values of one element, which methods (peft_sys_add_loss) and adaptors
 * add while a graph is built. What is trained on is the sum of all. */
#include <math.h>
#include "core/base/tensor.h"
#include "core/graph/loss/loss.h"
#include "core/graph/op.h"

/* in: one or two values [1]; out: their sum, which the backward pass begins with: d out / d out = 1 */
static bool infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, pf_shape_of(1, (int64_t)1)); }
static void run(const pf_run *r, const pf_node *n)
{
    const pk_real *second = r->ptr[n->in[1].id];
    r->ptr[n->out[0].id][0] = r->ptr[n->in[0].id][0] + (second ? second[0] : 0);
}
static void grad(pf_grads *gr, const pf_node *n)
{
    for (int i = 0; i < 2; i++) {
        if (!pf_grad_wanted(gr, n->in[i])) continue;
        const pf_attr one = { .f = { 1 }, .shape = pf_v(gr->g, n->in[i])->shape };
        pf_grad_add(gr, n->in[i], PF_EMIT_BACKWARD(gr, &pf_op_fill, &one, PF_NONE));
    }
}
const pf_op pf_op_total = { .name = "total", .infer = infer, .grad = grad, .run = run };

/* attr shape, f[0]: the number; out: a value of this shape that holds the number everywhere */
static bool fill_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }
static void fill_run(const pf_run *r, const pf_node *n)
{
    const pf_mat y = pf_matrix(r, n->out[0]);
    for (int64_t i = 0; i < y.rows; i++)
        for (int64_t j = 0; j < y.cols; j++) y.p[i * y.ld + j] = (pk_real)n->attr.f[0];
}
const pf_op pf_op_fill = { .name = "fill", .infer = fill_infer, .run = fill_run };

/* Records an error unless value is one number of this graph, and weight finite. */
static bool can_be_added(pf_graph *g, pf_val value, double weight)
{
    char extents[80];
    if (!pf_exists(value) || value.id >= g->values) {
        pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "peft_sys_add_loss: the value is PEFT_NONE or not of this graph"));
        return false;
    }
    const pf_shape *s = &pf_v(g, value)->shape;
    if (pf_shape_count(s) != 1) {
        pf_dims_text(extents, sizeof extents, s->ndim, s->dim);
        pf_graph_fail(g, pf_fail(PEFT_E_SHAPE, "peft_sys_add_loss: given a value %s, expected one element; "
                                 "peft_sys_mean or peft_sys_sum makes one of all", extents));
        return false;
    }
    if (isfinite(weight)) return true;
    pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "peft_sys_add_loss: given weight %g, expected a finite number", weight));
    return false;
}

void pf_loss_add(pf_graph *g, pf_val value, double weight)
{
    if (g->status) return;
    if (!can_be_added(g, value, weight)) return;
    value = peft_sys_scale(g, value, weight);
    g->added = pf_exists(g->added) ? pf_emit(g, &pf_op_total, NULL, 2, (pf_val[]){ g->added, value }) : value;
}

void peft_sys_add_loss(peft_build *g, peft_val value, double weight)
{
    if (g->spec.training) pf_loss_add(g, value, weight);
}

pf_val pf_loss_total(pf_graph *g, pf_val loss)
{
    if (!pf_exists(g->added) || g->status) return loss;
    const pf_val both[] = { pf_exists(loss) ? loss : g->added, pf_exists(loss) ? g->added : PF_NONE };
    return pf_emit(g, &pf_op_total, NULL, 2, both);
}

pf_val peft_sys_entropy(peft_build *g, peft_val logits)
{
    if (!pf_exists(logits))
        return pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "peft_sys_entropy: the value is PEFT_NONE"));
    return pf_emit(g, &pf_op_entropy, NULL, 1, &logits);
}

pf_val peft_sys_discrepancy(peft_build *g, peft_val x, peft_val mean, peft_val deviation, const char *kind)
{
    const bool absolute = !strcmp(kind, "absolute");
    const pf_val in[] = { x, mean, deviation };
    if (!absolute && strcmp(kind, "squared"))
        return pf_graph_fail(g, pf_fail(PEFT_E_NOTFOUND, "discrepancy '%s': expected squared or absolute", kind));
    for (int i = 0; i < 3; i++)
        if (!pf_exists(in[i]))
            return pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "peft_sys_discrepancy: value %d is PEFT_NONE", i));
    return pf_emit(g, &pf_op_discrepancy, &(pf_attr){ .i = { absolute } }, 3, in);
}
