/* SPDX-License-Identifier: Apache-2.0
 * half.h -- converts f16 and bf16 to float, one number at a time, exactly: subnormal numbers and infinities too, and a
 * NaN keeps its sign and the bits of its fraction. Rounds floats to bf16. */
#ifndef PK_HALF_H
#define PK_HALF_H
#include <stdint.h>
#include <string.h>
#include "../pk.h"

static inline float pk_float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline float pk_from_bf16(uint16_t h) { return pk_float_of((uint32_t)h << 16); }

/* Without branches, so that the compiler can vectorise it. A subnormal f16 is fraction * 2^-24, a normal float. The
 * exponent of a normal f16 grows by 112 (bias 15 to 127), that of infinity and NaN by 224 (31 to 255). */
static inline float pk_from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3FF, bits;
    float small = (float)(int32_t)fraction * 0x1p-24f;
    memcpy(&bits, &small, sizeof bits);
    if (exponent) bits = (exponent + (exponent == 31 ? 224 : 112)) << 23 | fraction << 13;
    return pk_float_of(sign | bits);
}

/* x rounded to bf16, to nearest with ties to even, as the instruction VCVTNEPS2BF16 does it: subnormal numbers become
 * 0, a NaN a quiet NaN. Adding 0x7FFF carries into the kept bits if the dropped ones are more than half; the last kept
 * bit decides where they are half. */
static inline uint16_t pk_to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t magnitude = bits & 0x7FFFFFFF, infinity = 0x7F800000, least_normal = 0x00800000;
    uint32_t rounded = bits + 0x7FFF + (bits >> 16 & 1);
    if (magnitude > infinity) rounded = bits | 0x00400000;
    if (magnitude < least_normal) rounded = bits & 0x80000000;
    return (uint16_t)(rounded >> 16);
}
static inline float pk_round_bf16(float x) { return pk_from_bf16(pk_to_bf16(x)); }

/* Element i of an array of PK_REAL or PK_BF16. */
static inline pk_real pk_element(const void *x, pk_dtype type, int64_t i)
{
    return type == PK_BF16 ? pk_from_bf16(((const uint16_t *)x)[i]) : ((const pk_real *)x)[i];
}
#endif
