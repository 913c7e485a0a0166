/* SPDX-License-Identifier: Apache-2.0
 * finite.c -- tells whether all numbers of an array are finite. */
#include <string.h>
#include "core/bits/finite.h"

#ifdef PF_REAL_DOUBLE
typedef uint64_t bits;
static const bits exponent_mask = UINT64_C(0x7FF) << 52;
#else
typedef uint32_t bits;
static const bits exponent_mask = UINT32_C(0xFF) << 23;
#endif

/* NaN and Inf have all bits of the exponent set. The inner loop has no branch, so that it can be vectorised. */
bool pf_finite(const pk_real *x, int64_t n)
{
    enum { PIECE = 4096 };
    for (int64_t i = 0; i < n; i += PIECE) {
        const int64_t end = n - i < PIECE ? n : i + PIECE;
        bits nonfinite = 0;
        for (int64_t k = i; k < end; k++) {
            bits b;
            memcpy(&b, x + k, sizeof b);
            nonfinite |= (b & exponent_mask) == exponent_mask;
        }
        if (nonfinite) return false;
    }
    return true;
}
