/* SPDX-License-Identifier: Apache-2.0
 * differences.h -- numerical derivatives for gradient tests. The central five-point formula is exact for polynomials up
 * to the fourth degree, so in double precision a correct gradient agrees with it to about ten digits. */
#ifndef DIFFERENCES_H
#define DIFFERENCES_H
#include <math.h>
#include "core/graph/exec.h"

/* Computes the loss again for the present values of the parameters. */
typedef double (*loss_fn)(void *user);

/* Derivative of f with respect to *x, by the five-point formula: f at x - 2h, x - h, x + h and x + 2h, in v[0], v[1],
 * v[3] and v[4]. *x is restored. */
static inline double five_point(loss_fn f, void *user, pk_real *x, double h)
{
    const pk_real original = *x;
    double v[5] = { 0 };
    for (int k = -2; k <= 2; k++) {
        if (!k) continue;
        *x = original + (pk_real)(k * h);
        v[k + 2] = f(user);
    }
    *x = original;
    return (v[0] - 8 * v[1] + 8 * v[3] - v[4]) / (12 * h);
}

/* Compares grad, the gradient to be tested, with the numerical derivative: the smallest |difference| / unit over
 * several steps h, where unit is the size of a usual gradient. A wrong gradient agrees at no step; a correct one may
 * disagree at a large step that crosses the kink of a ReLU, and agrees at a smaller one. */
static inline double slope_error(loss_fn f, void *user, pk_real *x, double grad, double unit)
{
    static const double steps[] = { 1e-3, 1e-4, 1e-5, 1e-6, 1e-7 };
    double best = INFINITY;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !(best <= 1e-8); i++)
        best = fmin(best, fabs(five_point(f, user, x, steps[i]) - grad) / unit);
    return best;
}

/* Index of the first node that reads parameter p; 0 if none does. When only p changes, no node before this one has to
 * run again. */
static inline uint32_t first_reader(const pf_exec *e, const pf_param *p)
{
    for (uint32_t i = 0; i < e->g.nodes; i++)
        for (int k = 0; k < PF_MAX_IN; k++) {
            const pf_value *v = pf_v(&e->g, pf_root(&e->g, e->g.node[i].in[k]));
            if (v->kind == PF_PARAM && v->param == p) return i;
        }
    return 0;
}

/* Runs the nodes from .. forward - 1 again (forward: the number of forward nodes), in a graph planned without reuse of
 * memory. Skips nodes marked PF_NO_GRADIENT (no gradient passes them): the loss is differentiated with their values
 * held constant. */
static inline void forward_again(pf_exec *e, uint32_t from, uint32_t forward)
{
    for (uint32_t i = from; i < forward; i++)
        if (!(e->g.node[i].op->flags & PF_NO_GRADIENT)) e->g.node[i].op->run(&e->run, &e->g.node[i]);
}

/* Runs all forward nodes again, those marked PF_NO_GRADIENT too. */
static inline void forward_whole(pf_exec *e, uint32_t forward)
{
    for (uint32_t i = 0; i < forward; i++) e->g.node[i].op->run(&e->run, &e->g.node[i]);
}

/* The number of nodes before the first backward node. */
static inline uint32_t forward_nodes(const pf_exec *e)
{
    uint32_t n = 0;
    while (n < e->g.nodes && !e->g.node[n].backward) n++;
    return n;
}

/* The largest |x[i]|; NaN if any element is NaN. */
static inline double largest(const pk_real *x, int64_t n)
{
    double maximum = 0;
    for (int64_t i = 0; i < n; i++) if (!(fabs((double)x[i]) <= maximum)) maximum = fabs((double)x[i]);
    return maximum;
}
#endif
