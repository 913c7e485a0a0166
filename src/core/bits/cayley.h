/* SPDX-License-Identifier: Apache-2.0
 * cayley.h -- orthogonal matrices R [b,b] of skew-symmetric ones, Q, for OFT: R = (I - Q)(I + Q)^-1, or the first terms
 * of a series that PEFT uses in its place. packed: the b (b - 1) / 2 elements of Q above the diagonal, in order of
 * rows. terms: I + 2Q + 2Q^2 + .. + 2Q^(terms-2) + Q^(terms-1), for 3 terms as for 4; 2: I + 2Q; 1: I; 0: exact. */
#ifndef PF_CAYLEY_H
#define PF_CAYLEY_H
#include "kernels/pk.h"

/* Work space: this many matrices [b,b] in double precision. */
enum { PF_CAYLEY_SPACES = 6 };
void pf_cayley(const pk_real *packed, int64_t b, int terms, double *space, pk_real *r);
/* The gradient of packed, for that of R, g. */
void pf_cayley_gradient(const pk_real *packed, const pk_real *g, int64_t b, int terms, double *space, pk_real *out);
#endif
