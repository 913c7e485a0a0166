/* SPDX-License-Identifier: Apache-2.0
 * discrepancy.c -- how far the statistics of a batch of features x [.., d] are from given ones, as a loss. Over the
 * rows of x each column c has a mean m_c and an unbiased standard deviation s_c; M_c and S_c are the given ones:
 *
 *     squared:   mean over c of (m_c - M_c)^2 + (s_c - S_c)^2     (FOA, Niu et al., ICML 2024, eq. 5)
 *     absolute:  mean over c of |m_c - M_c| + |s_c - S_c|         (VPTTA, Chen et al., CVPR 2024)
 *
 * One row alone has no deviation: then the loss has the means only. */
#include <math.h>
#include "core/graph/loss/loss_math.h"
#include "core/graph/op.h"

enum { ABSOLUTE = 1 };                   /* attribute i[0]; 0: squared */

void pf_column_statistics(pf_mat x, double *mean, double *deviation)
{
    for (int64_t c = 0; c < x.cols; c++) mean[c] = deviation[c] = 0;
    for (int64_t i = 0; i < x.rows; i++) for (int64_t c = 0; c < x.cols; c++) mean[c] += (double)x.p[i * x.ld + c];
    for (int64_t c = 0; c < x.cols; c++) mean[c] /= (double)x.rows;
    for (int64_t i = 0; i < x.rows; i++)
        for (int64_t c = 0; c < x.cols; c++) {
            const double t = (double)x.p[i * x.ld + c] - mean[c];
            deviation[c] += t * t;
        }
    for (int64_t c = 0; c < x.cols; c++) deviation[c] = x.rows > 1 ? sqrt(deviation[c] / (double)(x.rows - 1)) : 0;
}

static double distance(double difference, bool absolute)
{
    return absolute ? fabs(difference) : difference * difference;
}
/* Its derivative; 0 at 0. */
static double slope(double difference, bool absolute)
{
    return !absolute ? 2 * difference : difference > 0 ? 1 : difference < 0 ? -1 : 0;
}

/* in: x [.., d], M [d], S [d]; attr i[0]: ABSOLUTE; out: [1]. No gradient flows into M and S. */
static bool infer(pf_graph *g, pf_node *n)
{
    for (int i = 1; i < 3; i++)
        if (pf_shape_count(&pf_v(g, n->in[i])->shape) != pf_cols(g, n->in[0]))
            return pf_bad_shape(g, n, "x [.., d], mean [d], deviation [d]");
    return pf_output(g, n, 0, pf_shape_of(1, (int64_t)1));
}

static size_t scratch_bytes(const pf_run *r, const pf_node *n)          /* mean and deviation of x */
{
    return 2 * (size_t)pf_cols(r->g, n->op == &pf_op_discrepancy ? n->in[0] : n->in[1]) * sizeof(double);
}

static void run(const pf_run *r, const pf_node *n)
{
    const pf_mat x = pf_matrix(r, n->in[0]);
    const pk_real *target_mean = r->ptr[n->in[1].id], *target_deviation = r->ptr[n->in[2].id];
    const bool absolute = n->attr.i[0] == ABSOLUTE;
    double *mean = r->scratch, *deviation = mean + x.cols, sum = 0;
    pf_column_statistics(x, mean, deviation);
    for (int64_t c = 0; c < x.cols; c++) {
        sum += distance(mean[c] - (double)target_mean[c], absolute);
        if (x.rows > 1) sum += distance(deviation[c] - (double)target_deviation[c], absolute);
    }
    r->ptr[n->out[0].id][0] = (pk_real)(sum / (double)x.cols);
}

static void grad(pf_grads *gr, const pf_node *n)
{
    const pf_val x = n->in[0], d = pf_grad_of(gr, n->out[0]);
    if (pf_grad_wanted(gr, x))
        pf_grad_add(gr, x, PF_EMIT_BACKWARD(gr, &pf_op_discrepancy_grad, &n->attr, d, x, n->in[1], n->in[2]));
}
const pf_op pf_op_discrepancy = { .name = "discrepancy", .flags = PF_MIXES_SAMPLES, .infer = infer, .grad = grad,
    .scratch_bytes = scratch_bytes, .run = run };

/* in: d [1], x, M, S; attr as above; out: like x. dm/dx_i = 1/n, ds/dx_i = (x_i - m) / ((n - 1) s), which counts as 0
 * where all rows are equal. */
static bool grad_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[1]); }
static void grad_run(const pf_run *r, const pf_node *n)
{
    const pf_mat x = pf_matrix(r, n->in[1]), dx = pf_matrix(r, n->out[0]);
    const pk_real *target_mean = r->ptr[n->in[2].id], *target_deviation = r->ptr[n->in[3].id];
    const bool absolute = n->attr.i[0] == ABSOLUTE;
    const double d = (double)r->ptr[n->in[0].id][0] / (double)x.cols, rows = (double)x.rows;
    double *mean = r->scratch, *deviation = mean + x.cols;
    pf_column_statistics(x, mean, deviation);
    for (int64_t i = 0; i < x.rows; i++)
        for (int64_t c = 0; c < x.cols; c++) {
            double t = slope(mean[c] - (double)target_mean[c], absolute) / rows;
            if (deviation[c] > 0)
                t += slope(deviation[c] - (double)target_deviation[c], absolute)
                   * ((double)x.p[i * x.ld + c] - mean[c]) / ((rows - 1) * deviation[c]);
            dx.p[i * dx.ld + c] = (pk_real)(d * t);
        }
}
const pf_op pf_op_discrepancy_grad = { .name = "discrepancy_grad", .infer = grad_infer,
    .scratch_bytes = scratch_bytes, .run = grad_run };
