/* SPDX-License-Identifier: Apache-2.0
 * mixed_statistics.c -- the statistics that a batch norm normalises by at test time: a mixture of those of the images
 * at hand and of the running ones (AdaBN of VPTTA, Chen et al., CVPR 2024). With m, v the mean and the unbiased
 * variance of a column of x, M, V the running ones, and w the share of the images:
 *
 *     m' = w m + (1 - w) M,    v' = w v + (1 - w) V
 *
 * One row alone has no variance: then v' = V. */
#include <math.h>
#include "core/graph/loss/loss_math.h"
#include "core/graph/op.h"

enum { X, RUNNING_MEAN, RUNNING_VAR, SHARE };            /* inputs */
enum { MEAN, VAR, DEVIATION };                           /* outputs */

/* in: x [.., d], M [d], V [d], w [1]; out: m' [d], v' [d], sqrt(v') [d], constants for gradients */
static bool infer(pf_graph *g, pf_node *n)
{
    const pf_shape d = pf_shape_of(1, pf_cols(g, n->in[X])), one = pf_shape_of(1, (int64_t)1);
    if (!pf_shape_equal(&pf_v(g, n->in[RUNNING_MEAN])->shape, &d)
        || !pf_shape_equal(&pf_v(g, n->in[RUNNING_VAR])->shape, &d)
        || !pf_shape_equal(&pf_v(g, n->in[SHARE])->shape, &one))
        return pf_bad_shape(g, n, "x [.., d], mean [d], variance [d], share [1]");
    return pf_output(g, n, 0, d) && pf_output(g, n, 1, d) && pf_output(g, n, 2, d);
}

static size_t scratch_bytes(const pf_run *r, const pf_node *n)          /* mean and deviation of x */
{
    return 2 * (size_t)pf_cols(r->g, n->in[X]) * sizeof(double);
}

static void run(const pf_run *r, const pf_node *n)
{
    const pf_mat x = pf_matrix(r, n->in[X]);
    const pk_real *running_mean = r->ptr[n->in[RUNNING_MEAN].id], *running_var = r->ptr[n->in[RUNNING_VAR].id];
    const double share = (double)r->ptr[n->in[SHARE].id][0], var_share = x.rows > 1 ? share : 0;
    double *mean = r->scratch, *deviation = mean + x.cols;
    pk_real *const out[] = { r->ptr[n->out[MEAN].id], r->ptr[n->out[VAR].id], r->ptr[n->out[DEVIATION].id] };
    pf_column_statistics(x, mean, deviation);
    for (int64_t c = 0; c < x.cols; c++) {
        const double var = var_share * deviation[c] * deviation[c] + (1 - var_share) * (double)running_var[c];
        if (out[MEAN]) out[MEAN][c] = (pk_real)(share * mean[c] + (1 - share) * (double)running_mean[c]);
        if (out[VAR]) out[VAR][c] = (pk_real)var;
        if (out[DEVIATION]) out[DEVIATION][c] = (pk_real)sqrt(var);
    }
}
const pf_op pf_op_mixed_statistics = { .name = "mixed_statistics", .flags = PF_MIXES_SAMPLES | PF_NO_GRADIENT,
    .infer = infer, .scratch_bytes = scratch_bytes, .run = run };
