/* SPDX-License-Identifier: Apache-2.0
 * convert.c -- converts arrays of any element type to pk_real and back, for files and public tensors. A conversion to a
 * wider type is exact; one to a narrower type rounds once, to nearest even, whether pk_real is float or double. NaN
 * stays NaN. Data may be unaligned, so elements are copied by memcpy. */
#include "core/bits/weight_reader.h"
#include "kernels/ref/half.h"
#include <string.h>

/* Rounds v to a 16-bit format of a sign bit, `exponent` and `fraction` bits: 5 and 10 for f16, 8 and 7 for bf16. */
static uint16_t narrow(double v, int exponent, int fraction)
{
    const uint64_t hidden_bit = UINT64_C(1) << 52, infinity64 = UINT64_C(0x7FF) << 52;
    const int bias = (1 << (exponent - 1)) - 1, drop = 52 - fraction;       /* bits of a double's fraction to drop */
    const uint64_t infinity16 = ((UINT64_C(1) << exponent) - 1) << fraction;
    uint64_t bits, r;
    memcpy(&bits, &v, sizeof bits);
    uint64_t sign = bits >> 63 << (exponent + fraction), a = bits & ~(UINT64_C(1) << 63);     /* a: |v| */
    int e = (int)(a >> 52) - 1023 + bias;             /* the exponent field of the result, if it is normal */
    /* To nearest even: add half a unit less one, and one more if the last bit that stays is odd; then drop the bits. */
    if (a > infinity64) {                             /* NaN: quiet, with the upper bits of its fraction */
        r = infinity16 | UINT64_C(1) << (fraction - 1) | (a & (hidden_bit - 1)) >> drop;
    } else if (e > 0) {                               /* rounding up may carry into the exponent field, as it must */
        a -= (uint64_t)(1023 - bias) << 52;
        r = (a + (UINT64_C(1) << (drop - 1)) - 1 + (a >> drop & 1)) >> drop;
        if (r > infinity16) r = infinity16;
    } else if (drop + 1 - e <= 53) {                  /* subnormal: hidden bit made explicit, more bits dropped */
        int shift = drop + 1 - e;
        a = (a & (hidden_bit - 1)) | hidden_bit;
        r = (a + (UINT64_C(1) << (shift - 1)) - 1 + (a >> shift & 1)) >> shift;
    } else {                                          /* less than half of the smallest subnormal number */
        r = 0;
    }
    return (uint16_t)(sign | r);
}

/* to[i] = value, an expression of x, which is element i of `from`. */
#define FROM_EACH(T, value) do { \
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
    case PEFT_F32:  FROM_EACH(float, x); return true;
    case PEFT_F64:  FROM_EACH(double, x); return true;
    case PEFT_F16:  FROM_EACH(uint16_t, pk_from_f16(x)); return true;
    case PEFT_BF16: FROM_EACH(uint16_t, pk_from_bf16(x)); return true;
    case PEFT_I32:  FROM_EACH(int32_t, x); return true;
    case PEFT_I64:  FROM_EACH(int64_t, x); return true;
    case PEFT_U16:  FROM_EACH(uint16_t, x); return true;
    case PEFT_I16:  FROM_EACH(int16_t, x); return true;
    case PEFT_I8:   FROM_EACH(int8_t, x); return true;
    case PEFT_U8:   FROM_EACH(uint8_t, x); return true;
    }
    return false;
}
#undef FROM_EACH

/* Element i of `to` = value, an expression of i. */
#define TO_EACH(T, value) do { \
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
    case PEFT_F32:  TO_EACH(float, from[i]); return true;
    case PEFT_F64:  TO_EACH(double, from[i]); return true;
    case PEFT_F16:  TO_EACH(uint16_t, narrow((double)from[i], 5, 10)); return true;
    case PEFT_BF16: TO_EACH(uint16_t, narrow((double)from[i], 8, 7)); return true;
    default:        return false;
    }
}
#undef TO_EACH

peft_status peft_tensor_to_f32(const peft_tensor *t, float *to, int64_t count)
{
    enum { PIECE = 512 };
    pk_real x[PIECE];
    if (!t || (!to && count))
        return pf_fail(PEFT_E_INVALID, "peft_tensor_to_f32: %s is NULL: expected a pointer", t ? "to" : "t");
    if (count != peft_tensor_count(t))
        return pf_fail(PEFT_E_SHAPE, "peft_tensor_to_f32: count is %lld, expected the number of elements, %lld",
                       (long long)count, (long long)peft_tensor_count(t));
    const pk_weight w = pf_tensor_weight(t);
    for (int64_t first = 0; first < count; first += PIECE) {
        const int64_t n = count - first < PIECE ? count - first : PIECE;
        if (w.scales) pk_weight_read(t->ctx->kernels, &w, first, n, x);
        else pf_to_real(x, (const char *)t->data + (size_t)first * pf_dtype_size(t->type), t->type, n);
        for (int64_t i = 0; i < n; i++) to[first + i] = (float)x[i];
    }
    return PEFT_OK;
}
