/* SPDX-License-Identifier: Apache-2.0
 * pieces.h -- how a matrix product cuts K into pieces. The storage of int8 weights (ref/int8.h) has one scale for each
 * row and piece of int8 arithmetic, so both use this rule. */
#ifndef PK_PIECES_H
#define PK_PIECES_H
#include <stdint.h>

typedef struct pk_pieces { int64_t count, length; } pk_pieces;     /* length: in elements; the last may be shorter */

/* Pieces of about equal length for k elements. block elements become block_lanes lanes (pk_product); a piece has at
 * most kc lanes and, but the last one, a multiple of step, which is one of block_lanes. */
static inline pk_pieces pk_pieces_of(int64_t k, int64_t block, int64_t block_lanes, int64_t kc, int64_t step)
{
    const int64_t lanes = (k + block - 1) / block * block_lanes;
    const int64_t count = lanes > kc ? (lanes + kc - 1) / kc : 1, even = (lanes + count - 1) / count;
    return (pk_pieces){ count, (even + step - 1) / step * step / block_lanes * block };
}
#endif
