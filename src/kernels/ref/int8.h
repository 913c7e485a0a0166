/* SPDX-License-Identifier: Apache-2.0
 * int8.h -- how int8 arithmetic rounds the elements of a row of A, or of a column of B, within one piece of K. Blocks
 * of 64 elements are first rotated by the Walsh-Hadamard transform, which spreads an outlier over its block (QuaRot,
 * Ashkboos et al. 2024, section 3): A H (B^T H)^T = A B, as H H^T = 1. Then each becomes a whole number q of -127 ..
 * 127 that stands for q * scale. The largest magnitude becomes 127. */
#ifndef PK_INT8_H
#define PK_INT8_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "../pieces.h"

enum {
    PK_INT8_MOST = 127,
    PK_INT8_BLOCK = 64,
    PK_INT8_PIECE = 768,            /* most elements of a piece */
    PK_INT8_HEADER = 2              /* lanes of a panel before those of k: scales, and where sums start */
};

/* k elements with those that fill up the last block. */
static inline int64_t pk_int8_whole_blocks(int64_t k)
{
    return (k + PK_INT8_BLOCK - 1) / PK_INT8_BLOCK * PK_INT8_BLOCK;
}

/* The pieces of a row of k elements. */
static inline pk_pieces pk_int8_pieces(int64_t k)
{
    return pk_pieces_of(k, PK_INT8_BLOCK, PK_INT8_BLOCK, PK_INT8_PIECE, PK_INT8_BLOCK);
}

/* Magnitudes below this count as 0: the reciprocal of the scale stays finite. */
#define PK_INT8_LEAST 0x1p-100f

/* A rotated element x becomes x * factor, rounded. factor is 0 where all elements become 0: where none reaches
 * PK_INT8_LEAST, and where one is infinite or NaN; then scale is NaN, which makes the results NaN. */
typedef struct pk_int8_scale { float scale, factor; } pk_int8_scale;

/* The bits of the magnitude of x, which are ordered as the magnitudes are; those of NaN are the largest. */
static inline uint32_t pk_int8_magnitude(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7FFFFFFF;
}

/* The scale of rotated elements the largest of whose pk_int8_magnitude is `largest`. pk_int8_rotate leaves out the
 * factor 1/sqrt(PK_INT8_BLOCK) of the transform: the scale has it. */
static inline pk_int8_scale pk_int8_scale_of(uint32_t largest)
{
    const uint32_t infinity = 0x7F800000, quiet_nan = 0x7FC00000;
    float x, nan;
    memcpy(&x, &largest, sizeof x);
    memcpy(&nan, &quiet_nan, sizeof nan);
    if (largest >= infinity) return (pk_int8_scale){ nan, 0 };
    if (x < PK_INT8_LEAST) return (pk_int8_scale){ 0, 0 };
    return (pk_int8_scale){ x / PK_INT8_MOST / 8, PK_INT8_MOST / x };
}

/* The Walsh-Hadamard transform of a block, times 8. The order of the steps is that of bytes/bytes.h. */
static inline void pk_int8_rotate(float x[PK_INT8_BLOCK])
{
    static const int distances[] = { 16, 32, 8, 4, 2, 1 };
    for (int s = 0; s < 6; s++)
        for (int i = 0; i < PK_INT8_BLOCK; i++) {
            const int j = i + distances[s];
            if (i & distances[s]) continue;
            const float a = x[i], b = x[j];
            x[i] = a + b;
            x[j] = a - b;
        }
}

/* The factor of a stored element. pk_int8_rotate of a block of whole numbers gives sums of at most 64 * 127, exact in
 * any order of the additions; an element is its sum times this factor, as the transform times its transpose is 64 and
 * scale has one factor 1/8. */
#define PK_INT8_VALUE(scale) ((scale) * 0.125f)

/* Is s a scale that a stored row can have: not negative, NaN or so large that an element overflows? Those of a row of
 * finite elements are at most PK_INT8_SCALE_MAX, unless its largest sums in the transform come near the largest
 * float. */
#define PK_INT8_SCALE_MAX 0x1p117f
static inline bool pk_int8_is_scale(float s)
{
    return !signbit(s) && s <= PK_INT8_SCALE_MAX;
}

/* x * factor rounded once, to a whole number, to nearest with ties to even: the last bit of PK_INT8_SHIFT has the value
 * 1, so that the sum has no fraction. The bits of the sum are those of PK_INT8_SHIFT plus the whole number. */
#define PK_INT8_SHIFT 0x1.8p23f
static inline float pk_int8_round(float x, float factor)
{
    return factor == 0 ? 0 : fmaf(x, factor, PK_INT8_SHIFT) - PK_INT8_SHIFT;
}
#endif
