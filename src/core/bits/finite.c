/* SPDX-License-Identifier: Apache-2.0
 * finite.c -- whether numbers are all finite: of any array, and of the weights of a backbone. */
#include <string.h>
#include "core/bits/finite.h"

#ifdef PF_REAL_DOUBLE
typedef uint64_t bits;
static const bits exponent = UINT64_C(0x7FF) << 52;
#else
typedef uint32_t bits;
static const bits exponent = UINT32_C(0xFF) << 23;
#endif

/* A NaN or an Inf has every bit of the exponent set. No branch inside a piece: the compiler makes vectors of it. */
bool pf_finite(const pk_real *x, int64_t n)
{
    enum { PIECE = 4096 };
    for (int64_t i = 0; i < n; i += PIECE) {
        const int64_t end = n - i < PIECE ? n : i + PIECE;
        bits bad = 0;
        for (int64_t k = i; k < end; k++) {
            bits b;
            memcpy(&b, x + k, sizeof b);
            bad |= (b & exponent) == exponent;
        }
        if (bad) return false;
    }
    return true;
}
