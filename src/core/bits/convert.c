/* SPDX-License-Identifier: Apache-2.0
 * convert.c -- stored element types to pk_real and back. Widening is exact; narrowing rounds once, to nearest even,
 * whatever pk_real is. A NaN stays a NaN. Data may be unaligned, so elements move through memcpy. */
#include "core/base/tensor.h"
#include "kernels/ref/half.h"
#include <string.h>

/* v in a binary format of `exponent` and `fraction` bits below a sign bit. */
static uint16_t narrow(double v, int exponent, int fraction)
{
    const uint64_t top = UINT64_C(1) << 52, infinity = UINT64_C(0x7FF) << 52;
    const int bias = (1 << (exponent - 1)) - 1, drop = 52 - fraction;
    const uint64_t all_ones = ((UINT64_C(1) << exponent) - 1) << fraction;
    uint64_t bits, r;
    memcpy(&bits, &v, sizeof bits);
    uint64_t sign = bits >> 63 << (exponent + fraction), a = bits & ~(UINT64_C(1) << 63);
    int e = (int)(a >> 52) - 1023 + bias;             /* the exponent field it would have */
    if (a > infinity) {
        r = all_ones | UINT64_C(1) << (fraction - 1) | (a & (top - 1)) >> drop;
    } else if (e > 0) {                               /* a carry out of the fraction walks into the exponent */
        a -= (uint64_t)(1023 - bias) << 52;
        r = (a + (UINT64_C(1) << (drop - 1)) - 1 + (a >> drop & 1)) >> drop;
        if (r > all_ones) r = all_ones;
    } else if (drop + 1 - e <= 53) {                  /* subnormal: more bits to drop, the leading one now explicit */
        int shift = drop + 1 - e;
        a = (a & (top - 1)) | top;
        r = (a + (UINT64_C(1) << (shift - 1)) - 1 + (a >> shift & 1)) >> shift;
    } else {
        r = 0;
    }
    return (uint16_t)(sign | r);
}

#define EACH(T, value) do { \
        const char *p = from; \
        for (int64_t i = 0; i < n; i++) { \
            T x; \
            memcpy(&x, p + i * (int64_t)sizeof x, sizeof x); \
            to[i] = (pk_real)(value); \
        } \
    } while (0)

bool pf_to_real(pk_real *to, const void *from, peft_dtype type, int64_t n)
{
    if (n > 0 && type == PF_REAL) {
        memcpy(to, from, (size_t)n * sizeof *to);
        return true;
    }
    switch (type) {
    case PEFT_F32:  EACH(float, x); return true;
    case PEFT_F64:  EACH(double, x); return true;
    case PEFT_F16:  EACH(uint16_t, pk_from_f16(x)); return true;
    case PEFT_BF16: EACH(uint16_t, pk_from_bf16(x)); return true;
    case PEFT_I32:  EACH(int32_t, x); return true;
    case PEFT_I64:  EACH(int64_t, x); return true;
    case PEFT_U16:  EACH(uint16_t, x); return true;
    case PEFT_U8:   EACH(uint8_t, x); return true;
    }
    return false;
}
#undef EACH

#define EACH(T, value) do { \
        char *p = to; \
        for (int64_t i = 0; i < n; i++) { \
            T x = (T)(value); \
            memcpy(p + i * (int64_t)sizeof x, &x, sizeof x); \
        } \
    } while (0)

bool pf_from_real(void *to, peft_dtype type, const pk_real *from, int64_t n)
{
    if (n > 0 && type == PF_REAL) {
        memcpy(to, from, (size_t)n * sizeof *from);
        return true;
    }
    switch (type) {
    case PEFT_F32:  EACH(float, from[i]); return true;
    case PEFT_F64:  EACH(double, from[i]); return true;
    case PEFT_F16:  EACH(uint16_t, narrow((double)from[i], 5, 10)); return true;
    case PEFT_BF16: EACH(uint16_t, narrow((double)from[i], 8, 7)); return true;
    default:        return false;
    }
}
#undef EACH

peft_status peft_tensor_to_f32(const peft_tensor *t, float *to, int64_t count)
{
    enum { PIECE = 512 };
    pk_real x[PIECE];
    if (!t || (!to && count))
        return pf_fail(PEFT_E_INVALID, "peft_tensor_to_f32: %s is NULL: expected a pointer", t ? "to" : "t");
    if (count != peft_tensor_count(t))
        return pf_fail(PEFT_E_SHAPE, "peft_tensor_to_f32: count is %lld, expected the number of elements, %lld",
                       (long long)count, (long long)peft_tensor_count(t));
    for (int64_t at = 0; at < count; at += PIECE) {
        const int64_t n = count - at < PIECE ? count - at : PIECE;
        pf_to_real(x, (const char *)t->data + (size_t)at * pf_dtype_size(t->type), t->type, n);
        for (int64_t i = 0; i < n; i++) to[at + i] = (float)x[i];
    }
    return PEFT_OK;
}
