/* SPDX-License-Identifier: Apache-2.0
 * finite.h -- are all numbers of an array neither NaN nor Inf? */
#ifndef PF_FINITE_H
#define PF_FINITE_H
#include <stdbool.h>
#include "kernels/pk.h"

bool pf_finite(const pk_real *x, int64_t n);
#endif
