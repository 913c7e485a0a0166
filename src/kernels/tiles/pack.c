/* SPDX-License-Identifier: Apache-2.0
 * pack.c -- packs panels for products by tiles (micro.c). A panel of A is [lanes/16][32 rows][16 lanes]: a tile is 16
 * rows of 64 contiguous bytes, as they follow one another in A. A panel of B is that of ../dot and ../bytes,
 * [lanes][32 columns]: its 16 lanes of 16 columns are a tile whose rows are 128 bytes apart. bf16 fills the last tile
 * along k with zeros, which bytes do anyway. bf16x3 does so for each of its three parts. */
#include <string.h>
#include "../bytes/bytes.h"
#include "../dot/pairs.h"
#include "tile_ops.h"

enum { MR = 2 * TILE, PAIRS = 2 * TILE };               /* rows of a panel of A; elements of a row of a tile in bf16 */
_Static_assert(PK_NR == 2 * TILE, "a panel of B is two tiles wide");

/* Lanes of k elements in bf16 that fill whole tiles. */
PK_INLINE int64_t whole_lanes(int64_t k) { return (k + PAIRS - 1) / PAIRS * TILE; }

/* Packs one panel of A, of this part of the elements: `rows` rows, zeros below them. */
PK_INLINE void pack_rows(const pk_part part, float *to, const float *from, int64_t row, int64_t col, int rows,
                         int64_t k)
{
    if (col == 1) {
        for (int64_t p = 0; p < k; p += PAIRS)
            for (int i = 0; i < MR; i++, to += TILE)
                pv_store(to, i < rows ? pairs_along(PK_REAL, part, from + i * row + p, k - p) : pv_zero());
        return;
    }
    for (int64_t p = 0; p < k; p += PAIRS)
        for (int first = 0; first < MR; first += TILE) {
            pv x[PW], y[PW];
            PK_UNROLL
            for (int i = 0; i < PW; i++) {
                const int64_t q = p + 2 * i;
                const float *even = from + q * col + first, *odd = q + 1 < k ? even + col : NULL;
                x[i] = q < k ? pairs_across(PK_REAL, part, even, odd, rows - first) : pv_zero();
            }
            transpose(y, x);
            for (int i = 0; i < PW; i++, to += TILE) pv_store(to, y[i]);
        }
}

/* Packs A into panels that hold these parts of its elements, one behind the other. */
PK_INLINE void pack_a(const pk_part *parts, const int count, float *panels, const float *a, int64_t row, int64_t col,
                      int64_t m, int64_t k)
{
    for (int64_t i = 0; i < m; i += MR)
        for (int part = 0; part < count; part++, panels += MR * whole_lanes(k)) {
            const int rows = m - i < MR ? (int)(m - i) : MR;
            if (parts[part] == PK_FIRST_PART) pack_rows(PK_FIRST_PART, panels, a + i * row, row, col, rows, k);
            else pack_rows(PK_SECOND_PART, panels, a + i * row, row, col, rows, k);
        }
}

/* The same for B. */
PK_INLINE void pack_b(const pk_dtype type, const pk_part *parts, const int count, float *panels, const char *b,
                      int64_t row, int64_t col, int64_t k, int64_t n)
{
    const int64_t lanes = (k + 1) / 2, added = whole_lanes(k) - lanes;
    for (int64_t j = 0; j < n; j += PK_NR)
        for (int part = 0; part < count; part++, panels += PK_NR * whole_lanes(k)) {
            const char *const from = b + j * col * pk_dtype_size(type);
            const int columns = n - j < PK_NR ? (int)(n - j) : PK_NR;
            if (parts[part] == PK_FIRST_PART)
                pack_pairs(type, PK_FIRST_PART, panels, PK_NR, from, col, row, columns, k);
            else pack_pairs(type, PK_SECOND_PART, panels, PK_NR, from, col, row, columns, k);
            memset(panels + PK_NR * lanes, 0, (size_t)(PK_NR * added) * sizeof *panels);
        }
}

static const pk_part parts_of_a[3] = PK_PARTS_OF_A, parts_of_b[3] = PK_PARTS_OF_B;

/* Defines pk_pack_tiles_a_<isa> and pk_pack_tiles_x3_a_<isa>. */
#define PACK_A(name, count) \
    void PK_NAME(name)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k); \
    void PK_NAME(name)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k) \
    { \
        pack_a(parts_of_a, count, panels, a, row, col, m, k); \
    }
PACK_A(pack_tiles_a, 1)
PACK_A(pack_tiles_x3_a, 3)

/* Defines pk_pack_tiles_b_<name>_<isa> and pk_pack_tiles_x3_b_<name>_<isa>. */
#define PACK_B(name, type, count) \
    void PK_NAME(name)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n); \
    void PK_NAME(name)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n) \
    { \
        pack_b(type, parts_of_b, count, panels, b, row, col, k, n); \
    }
PACK_B(pack_tiles_b_real, PK_REAL, 1)
PACK_B(pack_tiles_b_f16, PK_F16, 1)
PACK_B(pack_tiles_b_bf16, PK_BF16, 1)
PACK_B(pack_tiles_x3_b_real, PK_REAL, 3)
PACK_B(pack_tiles_x3_b_f16, PK_F16, 3)
PACK_B(pack_tiles_x3_b_bf16, PK_BF16, 3)

/* Packs A as signed bytes. Two lanes of 32 rows precede the tiles: scales, and the integers at which sums start (as in
 * ../bytes: B has unsigned bytes, 128 too large). */
void PK_NAME(pack_tiles_bytes_a)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k);
void PK_NAME(pack_tiles_bytes_a)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k)
{
    for (int64_t first = 0; first < m; first += MR, panels += MR * panel_lanes(k))
        for (int i = 0; i < MR; i++) {
            uint8_t bytes[PK_INT8_PIECE] = { 0 };
            const char *from = (const char *)(a + (first + i) * row);
            float *to = panels + PK_INT8_HEADER * MR + i * TILE;
            int32_t sum = 0;
            panels[i] = 0;
            if (first + i < m && col == 1) sum = round_row(PK_REAL, bytes, panels + i, from, 1, k);
            else if (first + i < m) sum = round_row(PK_REAL, bytes, panels + i, from, col, k);
            sum *= -128;
            memcpy(panels + MR + i, &sum, sizeof sum);
            for (int64_t p = 0; p < k; p += BLOCK, to += MR * TILE) memcpy(to, bytes + p, BLOCK);
        }
}
