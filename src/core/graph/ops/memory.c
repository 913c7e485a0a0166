/* SPDX-License-Identifier: Apache-2.0
 * memory.c -- operations that copy: concat_cols, which joins the columns of features or of gradients of column views,
 * and store, which writes a parameter's gradient into the trainer's buffer. */
#include "core/graph/op.h"
#include "core/graph/param.h"

/* in: up to PF_CONCAT_MAX pieces with the same rows, in column order; attr i[k]: first column of piece k, shape: the
 * result's; out: the pieces side by side, zeros between them. A piece that was computed inside the result (place pass)
 * is not copied. */
static bool concat_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }

/* Sets columns begin .. end - 1 of y to zero. */
static void zero_columns(pf_mat y, int64_t begin, int64_t end)
{
    if (begin >= end) return;
    for (int64_t i = 0; i < y.rows; i++) memset(y.p + i * y.ld + begin, 0, (size_t)(end - begin) * sizeof(pk_real));
}

static void concat_run(const pf_run *r, const pf_node *n)
{
    pf_mat y = pf_matrix(r, n->out[0]);
    int64_t done = 0;                                    /* columns of y that are written */
    for (int k = 0; k < PF_CONCAT_MAX && pf_exists(n->in[k]); k++) {
        pf_mat x = pf_matrix(r, n->in[k]);
        pk_real *target = y.p + n->attr.i[k];
        zero_columns(y, done, n->attr.i[k]);
        if (x.p != target)
            for (int64_t i = 0; i < y.rows; i++)
                memcpy(target + i * y.ld, x.p + i * x.ld, (size_t)x.cols * sizeof(pk_real));
        done = n->attr.i[k] + x.cols;
    }
    zero_columns(y, done, y.cols);
}
/* The gradient of a piece: its columns of the result's. */
static void concat_grad(pf_grads *gr, const pf_node *n)
{
    const pf_val d = pf_grad_of(gr, n->out[0]);
    for (int k = 0; k < PF_CONCAT_MAX && pf_exists(n->in[k]); k++)
        if (pf_grad_wanted(gr, n->in[k]))
            pf_grad_add(gr, n->in[k], pf_columns(gr->g, d, n->attr.i[k], pf_cols(gr->g, n->in[k])));
}

const pf_op pf_op_concat_cols = { .name = "concat_cols", .kernel = "copy", .infer = concat_infer, .grad = concat_grad,
    .run = concat_run };

/* in: the gradient of a slice; attr ptr: the parameter, i[0]: first element of the slice, i[1]: how many of the slice's
 * first elements earlier stores of this run have written. To these elements the gradient is added, the others are
 * overwritten; if batches accumulate (pf_run.accumulate) it is added to all. No output. */
static bool store_infer(pf_graph *g, pf_node *n) { (void)g; (void)n; return true; }

static void store_run(const pf_run *r, const pf_node *n)
{
    const pf_param *p = n->attr.ptr;
    pf_mat d = pf_matrix(r, n->in[0]);
    pk_real *target = (pk_real *)p->grad.data + n->attr.i[0];
    int64_t left = r->accumulate ? d.rows * d.cols : n->attr.i[1];       /* elements to which d is still added */
    for (int64_t i = 0; i < d.rows; i++, target += d.cols, left -= d.cols) {
        int64_t added = left < 0 ? 0 : left < d.cols ? left : d.cols;    /* of this row; the others are overwritten */
        r->kernels->add(target, target, d.p + i * d.ld, added);
        memcpy(target + added, d.p + i * d.ld + added, (size_t)(d.cols - added) * sizeof *target);
    }
}
const pf_op pf_op_store = { .name = "store", .kernel = "add", .flags = PF_EFFECT | PF_STORES,
    .infer = store_infer, .run = store_run };
