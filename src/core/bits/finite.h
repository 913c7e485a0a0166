/* SPDX-License-Identifier: Apache-2.0
 * finite.h -- checks arrays for NaN and Inf: before a save, after a load, and of losses and gradients. */
#ifndef PF_FINITE_H
#define PF_FINITE_H
#include <stdbool.h>
#include "kernels/pk.h"

/* Whether x[0..n-1] has neither NaN nor Inf. */
bool pf_finite(const pk_real *x, int64_t n);
#endif
