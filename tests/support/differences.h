/* SPDX-License-Identifier: Apache-2.0
 * differences.h -- is a gradient the slope of its function? Central five-point differences, which are exact for
 * polynomials up to the fourth degree, so that in double precision a right gradient agrees to ten digits. */
#ifndef DIFFERENCES_H
#define DIFFERENCES_H
#include <math.h>
#include "core/graph/exec.h"

typedef double (*loss_fn)(void *user);

static inline double five_point(loss_fn f, void *user, pk_real *x, double h)
{
    const pk_real was = *x;
    double v[5] = { 0 };
    for (int k = -2; k <= 2; k++) {
        if (!k) continue;
        *x = was + (pk_real)(k * h);
        v[k + 2] = f(user);
    }
    *x = was;
    return (v[0] - 8 * v[1] + 8 * v[3] - v[4]) / (12 * h);
}

/* |slope - grad| / unit. A wrong gradient agrees at no step; a right one may disagree at a wide step that crosses the
 * kink of a ReLU, and then agrees at a narrower one. */
static inline double slope_error(loss_fn f, void *user, pk_real *x, double grad, double unit)
{
    static const double steps[] = { 1e-3, 1e-4, 1e-5 };
    double best = INFINITY;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !(best <= 1e-8); i++)
        best = fmin(best, fabs(five_point(f, user, x, steps[i]) - grad) / unit);
    return best;
}

/* The first node that reads p; nodes in front of it need not be run again when only p changes. */
static inline uint32_t first_reader(const pf_exec *e, const pf_param *p)
{
    for (uint32_t i = 0; i < e->g.nodes; i++)
        for (int k = 0; k < PF_MAX_IN; k++) {
            const pf_value *v = pf_v(&e->g, pf_root(&e->g, e->g.node[i].in[k]));
            if (v->kind == PF_PARAM && v->param == p) return i;
        }
    return 0;
}

/* Runs the nodes from .. forward - 1 of a graph on a naive plan once more. Nodes through which no gradient flows by
 * definition are left out: their values count as constants. Nothing is poisoned meanwhile. */
static inline void forward_again(pf_exec *e, uint32_t from, uint32_t forward)
{
    for (uint32_t i = from; i < forward; i++)
        if (!(e->g.node[i].op->flags & PF_STOP)) e->g.node[i].op->run(&e->run, &e->g.node[i]);
}

/* All forward nodes, after a whole run has poisoned their values. */
static inline void forward_whole(pf_exec *e, uint32_t forward)
{
    for (uint32_t i = 0; i < forward; i++) e->g.node[i].op->run(&e->run, &e->g.node[i]);
}

static inline uint32_t forward_nodes(const pf_exec *e)
{
    uint32_t n = 0;
    while (n < e->g.nodes && !e->g.node[n].backward) n++;
    return n;
}

static inline double largest(const pk_real *x, int64_t n)
{
    double top = 0;
    for (int64_t i = 0; i < n; i++) if (!(fabs((double)x[i]) <= top)) top = fabs((double)x[i]);        /* NaN stays */
    return top;
}
#endif
