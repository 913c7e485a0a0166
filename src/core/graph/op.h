/* SPDX-License-Identifier: Apache-2.0
 * op.h -- helpers of the operations in ops/, for their functions infer, grad and run (pf_op). */
#ifndef PF_OP_H
#define PF_OP_H
#include <string.h>
#include "core/graph/exec.h"

/* Makes output i of node n, with this shape (pf_output_like: the shape of v); false: no memory. */
static inline bool pf_output(pf_graph *g, pf_node *n, int i, pf_shape s)
{
    n->out[i] = pf_value_new(g, PF_TEMP, s);
    return pf_exists(n->out[i]);
}
static inline bool pf_output_like(pf_graph *g, pf_node *n, int i, pf_val v)
{
    return pf_output(g, n, i, pf_v(g, v)->shape);
}

/* Records PEFT_E_SHAPE; the message has the operation, the names of the tensors it reads, the shapes of its inputs, and
 * expected. Returns false. */
bool pf_bad_shape(pf_graph *g, const pf_node *n, const char *expected);

/* Appends a backward node with these inputs (PF_NONE allowed); returns out[0]. The macro takes the inputs as its last
 * arguments. */
pf_val pf_emit_backward(pf_grads *gr, const pf_op *op, const pf_attr *attr, int nin, const pf_val *in);
#define PF_EMIT_BACKWARD(gr, op, attr, ...) \
    pf_emit_backward(gr, op, attr, (int)(sizeof((pf_val[]){__VA_ARGS__}) / sizeof(pf_val)), (pf_val[]){__VA_ARGS__})

static inline bool pf_dense(pf_mat m) { return m.ld == m.cols; }       /* no gap between rows */

/* The most pieces of a concat_cols node. */
enum { PF_CONCAT_MAX = 4 };
/* Attribute i[2] of take: the result is rows i[0] .. i[0] + i[1] - 1 of the input, or all its other rows. */
enum { PF_TAKE_ROWS = 0, PF_DROP_ROWS = 1 };
/* Attribute i[0] of mean and mean_grad. */
enum { PF_MEAN_OF_ALL = 0, PF_SUM_OF_ALL = 1 };
/* Inputs of linear, then of linear_dx. BIAS is optional. RESIDUAL, GAMMA, GATE and ADD are PF_NONE unless the fuse pass
 * sets them. */
enum { PF_LINEAR_X, PF_LINEAR_W, PF_LINEAR_BIAS, PF_LINEAR_RESIDUAL, PF_LINEAR_GAMMA };
enum { PF_LINEAR_DX_DY, PF_LINEAR_DX_W, PF_LINEAR_DX_GATE, PF_LINEAR_DX_ADD };
/* Output of linear: the input of the fused activation, or the activation's derivative there. */
enum { PF_LINEAR_PRE = 1 };
/* Attributes i of linear and linear_dx: the kind of the activation (pk_act); 1: pre and gate hold the derivative of the
 * activation in place of its input. */
enum { PF_LINEAR_ACT, PF_LINEAR_SLOPES };
/* Input of layernorm_dx: a gradient that is added to the result (fuse pass). */
enum { PF_LAYERNORM_DX_ADD = 5 };
#endif
