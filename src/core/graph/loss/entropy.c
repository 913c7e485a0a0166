/* SPDX-License-Identifier: Apache-2.0
 * entropy.c -- the entropy of the softmax of logits, a loss without labels: mean over the rows of
 * H = -sum_j p_j log p_j, p = softmax(x). Its derivative is dH/dx_j = -p_j (log p_j + H). */
#include "core/graph/loss/loss_math.h"
#include "core/graph/op.h"

/* in: logits [.., classes]; out: [1] */
static bool infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, pf_shape_of(1, (int64_t)1)); }

static void run(const pf_run *r, const pf_node *n)
{
    const pf_mat x = pf_matrix(r, n->in[0]);
    double sum = 0;
    for (int64_t i = 0; i < x.rows; i++) {
        const pk_real *row = x.p + i * x.ld;
        sum += pf_row_entropy(row, x.cols, pf_log_sum_exp(row, x.cols));
    }
    r->ptr[n->out[0].id][0] = (pk_real)(sum / (double)x.rows);
}

static void grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_entropy_grad, NULL, pf_grad_of(gr, n->out[0]), n->in[0]));
}
const pf_op pf_op_entropy = { .name = "entropy", .flags = PF_MIXES_SAMPLES, .infer = infer, .grad = grad, .run = run };

/* in: d [1], logits; out: like logits */
static bool grad_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[1]); }
static void grad_run(const pf_run *r, const pf_node *n)
{
    const pf_mat x = pf_matrix(r, n->in[1]), dx = pf_matrix(r, n->out[0]);
    const double scale = (double)r->ptr[n->in[0].id][0] / (double)x.rows;
    for (int64_t i = 0; i < x.rows; i++) {
        const pk_real *row = x.p + i * x.ld;
        const double lse = pf_log_sum_exp(row, x.cols), h = pf_row_entropy(row, x.cols, lse);
        for (int64_t j = 0; j < x.cols; j++) {
            const double log_p = (double)row[j] - lse, p = exp(log_p);
            dx.p[i * dx.ld + j] = p == 0 ? 0 : (pk_real)(-scale * p * (log_p + h));
        }
    }
}
const pf_op pf_op_entropy_grad = { .name = "entropy_grad", .infer = grad_infer, .run = grad_run };
