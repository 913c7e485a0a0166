/* SPDX-License-Identifier: Apache-2.0
 * update_ref.c -- the optimiser updates in plain C and in double: the reference for simd/update.c. The formulas are
 * those of kernels.def. */
#include <math.h>
#include "../names.h"

void pk_adamw_ref(pk_real *p, pk_real *m, pk_real *v, const pk_real *g, int64_t n, double gscale, double lr, double b1,
                  double b2, double eps, double wd, double c1, double c2, int *nonfinite)
{
    for (int64_t i = 0; i < n; i++) {
        double gi = gscale * g[i];
        double mi = b1 * m[i] + (1 - b1) * gi;
        double vi = b2 * v[i] + (1 - b2) * gi * gi;
        p[i] = (pk_real)((1 - lr * wd) * p[i] - lr / c1 * mi / (sqrt(vi) / sqrt(c2) + eps));
        m[i] = (pk_real)mi;
        v[i] = (pk_real)vi;
        if (!isfinite(p[i]) || !isfinite(m[i]) || !isfinite(v[i])) *nonfinite = 1;
    }
}

void pk_sgd_ref(pk_real *p, pk_real *buf, const pk_real *g, int64_t n, double gscale, double lr, double mu, double wd,
                int nesterov, int first, int *nonfinite)
{
    for (int64_t i = 0; i < n; i++) {
        double gi = gscale * g[i] + wd * p[i];
        double bi = first ? gi : mu * buf[i] + gi;
        p[i] = (pk_real)(p[i] - lr * (nesterov ? gi + mu * bi : bi));
        buf[i] = (pk_real)bi;
        if (!isfinite(p[i]) || !isfinite(buf[i])) *nonfinite = 1;
    }
}
