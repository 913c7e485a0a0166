/* SPDX-License-Identifier: Apache-2.0
 * update.c -- entries of the kernel table: the optimiser updates, by the formulas of kernels.def. A factor near 1
 * (1 - lr*wd, b1, b2) is never rounded to float, as the rounding error would be the same in every step and accumulate:
 * x*(1 - small) is computed as x - small*x, with one rounding. The new term is added afterwards, as in
 * v = (v - (1-b2) v) + ((1-b2) g) g: g*g alone would overflow for |g| >= 1.8e19, and v + (1-b2) (g*g - v) would lose
 * g*g beside a large v. */
#include <math.h>
#include "../names.h"
#include "vmath.h"

#define INLINE static inline __attribute__((always_inline))

/* Constants of an AdamW update as vectors: decay = lr*wd, step = lr/c1, a1 = 1-b1, a2 = 1-b2, root = 1/sqrt(c2) */
typedef struct adamw { pv gscale, decay, step, a1, a2, root, eps; } adamw;

/* One AdamW update of a vector of parameters p with moments m, v and gradient g. */
INLINE void adamw_lanes(const adamw *k, pv *p, pv *m, pv *v, pv g)
{
    g = pv_mul(g, k->gscale);
    *m = pv_fma(k->a1, g, pv_fnma(k->a1, *m, *m));
    *v = pv_fma(pv_mul(k->a2, g), g, pv_fnma(k->a2, *v, *v));
    pv ratio = pv_div(*m, pv_fma(pv_sqrt(*v), k->root, k->eps));
    *p = pv_fnma(k->step, ratio, pv_fnma(k->decay, *p, *p));
}

/* Finds numbers that are not finite: returns sum (0 or NaN) in the lanes where x is finite, else NaN. */
INLINE pv add_nonfinite(pv sum, pv x) { return pv_fma(x, pv_zero(), sum); }

void PK_NAME(adamw)(float *p, float *m, float *v, const float *g, int64_t n, double gscale, double lr, double b1,
                    double b2, double eps, double wd, double c1, double c2, int *nonfinite)
{
    const adamw k = { pv_set((float)gscale), pv_set((float)(lr * wd)), pv_set((float)(lr / c1)),
                      pv_set((float)(1 - b1)), pv_set((float)(1 - b2)), pv_set((float)(1 / sqrt(c2))),
                      pv_set((float)eps) };
    pv not_finite = pv_zero();
    int64_t i = 0;
    for (; i + PW <= n; i += PW) {
        pv pi = pv_load(p + i), mi = pv_load(m + i), vi = pv_load(v + i);
        adamw_lanes(&k, &pi, &mi, &vi, pv_load(g + i));
        pv_store(p + i, pi), pv_store(m + i, mi), pv_store(v + i, vi);
        not_finite = add_nonfinite(add_nonfinite(add_nonfinite(not_finite, pi), mi), vi);
    }
    if (i < n) {
        pm t = pm_first(n - i);
        pv pi = pv_load_m(p + i, t), mi = pv_load_m(m + i, t), vi = pv_load_m(v + i, t);
        adamw_lanes(&k, &pi, &mi, &vi, pv_load_m(g + i, t));
        pv_store_m(p + i, t, pi), pv_store_m(m + i, t, mi), pv_store_m(v + i, t, vi);
        not_finite = add_nonfinite(add_nonfinite(add_nonfinite(not_finite, pi), mi), vi);
    }
    if (pv_sum(not_finite) != 0) *nonfinite = 1;
}

/* The arguments of the kernel sgd (kernels.def) as vectors: mu is the momentum, wd the weight decay. */
typedef struct sgd { pv gscale, lr, mu, wd; int nesterov, first; } sgd;

/* One SGD update of a vector of parameters p with momentum buffer buf and gradient g. */
INLINE void sgd_lanes(const sgd *k, pv *p, pv *buf, pv g)
{
    g = pv_fma(k->wd, *p, pv_mul(g, k->gscale));
    *buf = k->first ? g : pv_fma(k->mu, *buf, g);
    *p = pv_fnma(k->lr, k->nesterov ? pv_fma(k->mu, *buf, g) : *buf, *p);
}

void PK_NAME(sgd)(float *p, float *buf, const float *g, int64_t n, double gscale, double lr, double mu, double wd,
                  int nesterov, int first, int *nonfinite)
{
    const sgd k = { pv_set((float)gscale), pv_set((float)lr), pv_set((float)mu), pv_set((float)wd), nesterov, first };
    pv not_finite = pv_zero();
    int64_t i = 0;
    for (; i + PW <= n; i += PW) {
        pv pi = pv_load(p + i), bi = pv_load(buf + i);
        sgd_lanes(&k, &pi, &bi, pv_load(g + i));
        pv_store(p + i, pi), pv_store(buf + i, bi);
        not_finite = add_nonfinite(add_nonfinite(not_finite, pi), bi);
    }
    if (i < n) {
        pm t = pm_first(n - i);
        pv pi = pv_load_m(p + i, t), bi = pv_load_m(buf + i, t);
        sgd_lanes(&k, &pi, &bi, pv_load_m(g + i, t));
        pv_store_m(p + i, t, pi), pv_store_m(buf + i, t, bi);
        not_finite = add_nonfinite(add_nonfinite(not_finite, pi), bi);
    }
    if (pv_sum(not_finite) != 0) *nonfinite = 1;
}
