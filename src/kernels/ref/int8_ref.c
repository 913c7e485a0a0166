/* SPDX-License-Identifier: Apache-2.0
 * int8_ref.c -- reads weights that are stored as int8 (int8.h), in plain C: the reference for simd/int8.c. */
#include "../names.h"
#include "int8.h"

void pk_dequantise_ref(pk_real *to, int64_t ldt, const int8_t *from, const float *scales, int64_t cols, int64_t rows,
                       int64_t first, int64_t n)
{
    const int64_t stride = pk_int8_whole_blocks(cols);
    const pk_pieces pieces = pk_int8_pieces(cols);
    for (int64_t i = 0; i < rows; i++, to += ldt, from += stride, scales += pieces.count)
        for (int64_t block = first / PK_INT8_BLOCK * PK_INT8_BLOCK; block < first + n; block += PK_INT8_BLOCK) {
            const float factor = PK_INT8_VALUE(scales[block / pieces.length]);
            float x[PK_INT8_BLOCK];
            for (int j = 0; j < PK_INT8_BLOCK; j++) x[j] = from[block + j];
            pk_int8_rotate(x);
            for (int j = 0; j < PK_INT8_BLOCK; j++)
                if (block + j >= first && block + j < first + n) to[block + j - first] = (pk_real)(x[j] * factor);
        }
}
