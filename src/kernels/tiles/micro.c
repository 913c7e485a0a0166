/* SPDX-License-Identifier: Apache-2.0
 * micro.c -- products by the tile registers of AMX: TDPBF16PS adds 16 x 16 products of rows of 32 bf16 to a tile of
 * f32, TDPBSUD those of rows of 64 bytes to a tile of integers. The micro-kernel keeps 32 x 32 elements of C in four
 * tiles; in each step it loads two tiles of A and two of B for four products. Each takes 16 cycles, and the loads, 64
 * cache lines, half of that time from the level-1 cache. Panels: pack.c. */
#include "../ref/int8.h"
#include "../simd/gemm_micro.h"
#include "tile_ops.h"

typedef enum { DOT_BF16, DOT_BYTES } tile_dot;
enum { MR = 2 * TILE, TILE_LANES = TILE * TILE,
       A_STRIDE = TILE * sizeof(float), B_STRIDE = PK_NR * sizeof(float) };     /* bytes between rows of tiles */

void PK_NAME(enter_tiles)(pk_tiles *host);
void PK_NAME(leave_tiles)(const pk_tiles *host);

/* Prefetches rows first .. first+count-1 of the tile behind `initial` (NULL: none) and of the blocks. */
static void prefetch_tile_rows(const pk_micro_prefetch *p, const float *initial, int first, int count)
{
    for (int i = first; i < first + count && i < MR; i++)
        for (int j = 0; j < PK_NR; j += PK_LINE) {
            if (initial) PK_PREFETCH(initial + (MR + i) * PK_NR + j);
            for (int b = 0; b < p->blocks; b++)
                PK_PREFETCH(p->block[b].data + i * p->block[b].row_bytes + j * (int)sizeof(float));
        }
}

#define DOT(c, a, b) if (dot == DOT_BF16) tile_dot_bf16(c, a, b); else tile_dot_bytes(c, a, b)

/* Adds the products of the panels to tiles 0 (upper left), 1 (upper right), 2 (lower left) and 3. dot, lower, right are
 * compile-time constants: whether there are more than 16 rows, and columns. */
PK_INLINE void tile_sums(const tile_dot dot, int64_t lanes, const float *a, const float *b, const float *initial,
                         pk_micro_prefetch *prefetch, const int lower, const int right)
{
    const int turns = (int)(lanes / TILE), rows_each = turns ? (MR + turns - 1) / turns : 0;
    for (int turn = 0; turn < turns; turn++, a += MR * TILE, b += TILE * PK_NR) {
        tile_load(4, a, A_STRIDE);
        tile_load(6, b, B_STRIDE);
        DOT(0, 4, 6);
        if (right) {
            tile_load(7, b + TILE, B_STRIDE);
            DOT(1, 4, 7);
        }
        if (lower) {
            tile_load(5, a + TILE_LANES, A_STRIDE);
            DOT(2, 5, 6);
            if (right) { DOT(3, 5, 7); }
        }
        if (!prefetch) continue;
        prefetch_tile_rows(prefetch, initial, turn * rows_each, rows_each);
        prefetch_turn(&prefetch->cursor[0]);
        prefetch_turn(&prefetch->cursor[1]);
    }
}

/* tile_sums in the variant for the m x n corner; only a whole tile prefetches. */
PK_INLINE void sums_of_corner(const tile_dot dot, int64_t lanes, const float *a, const float *b, const float *initial,
                              pk_micro_prefetch *prefetch, int m, int n)
{
    const int lower = m > TILE, right = n > TILE;
    if (lower && right) tile_sums(dot, lanes, a, b, initial, m == MR && n == PK_NR ? prefetch : NULL, 1, 1);
    else if (lower) tile_sums(dot, lanes, a, b, NULL, NULL, 1, 0);
    else if (right) tile_sums(dot, lanes, a, b, NULL, NULL, 0, 1);
    else tile_sums(dot, lanes, a, b, NULL, NULL, 0, 0);
}

/* Starts tile t, whose first element is (row, column), at `initial`, or at 0. */
#define BEGIN_TILE(t, row, column) \
    if (initial) tile_load(t, initial + (row) * PK_NR + (column), B_STRIDE); \
    else tile_zero(t)
/* Stores tile t in C, as far as it is in the m x n corner. */
#define END_TILE(t, row, column) \
    if (m >= (row) + TILE && n >= (column) + TILE) { \
        tile_store(t, c + (row) * c_row + (column), c_row * (int64_t)sizeof(float)); \
    } else if (m > (row) && n > (column)) { \
        tile_store(t, corner, A_STRIDE); \
        store_corner(c + (row) * c_row + (column), c_row, corner, m - (row), n - (column)); \
    }

static void store_corner(float *c, int64_t c_row, const float *tile, int m, int n)
{
    for (int i = 0; i < m && i < TILE; i++) store_lanes(c + i * c_row, pv_load(tile + i * TILE), n);
}

void PK_NAME(micro_tiles)(int64_t lanes, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                          const float *initial, pk_micro_prefetch *prefetch);
void PK_NAME(micro_tiles)(int64_t lanes, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                          const float *initial, pk_micro_prefetch *prefetch)
{
    _Alignas(PK_ALIGN) float corner[TILE_LANES];
    BEGIN_TILE(0, 0, 0);
    BEGIN_TILE(1, 0, TILE);
    BEGIN_TILE(2, TILE, 0);
    BEGIN_TILE(3, TILE, TILE);
    sums_of_corner(DOT_BF16, lanes, a, b, initial, prefetch, m, n);
    END_TILE(0, 0, 0)
    END_TILE(1, 0, TILE)
    END_TILE(2, TILE, 0)
    END_TILE(3, TILE, TILE)
}

/* c = initial + (sums + start) times the scales of row and column, for one vector of a row: bytes_end of
 * ../bytes/int8.c. Elements of `initial` from n on are not read. */
PK_INLINE void scale_sums(float *c, const int32_t *sums, __m512i start, pv scale, const float *initial, int n)
{
    const pv exact = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_loadu_si512(sums), start));
    store_lanes(c, pv_fma(exact, scale, initial ? load_lanes(initial, n) : pv_zero()), n);
}

void PK_NAME(micro_tiles_bytes)(int64_t lanes, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                                const float *initial, pk_micro_prefetch *prefetch);
void PK_NAME(micro_tiles_bytes)(int64_t lanes, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                                const float *initial, pk_micro_prefetch *prefetch)
{
    _Alignas(PK_ALIGN) int32_t sums[MR * PK_NR];
    tile_zero(0);
    tile_zero(1);
    tile_zero(2);
    tile_zero(3);
    sums_of_corner(DOT_BYTES, lanes, a + PK_INT8_HEADER * MR, b + PK_INT8_HEADER * PK_NR, initial, prefetch, m, n);
    tile_store(0, sums, B_STRIDE);
    if (n > TILE) tile_store(1, sums + TILE, B_STRIDE);
    if (m > TILE) tile_store(2, sums + TILE * PK_NR, B_STRIDE);
    if (m > TILE && n > TILE) tile_store(3, sums + TILE * PK_NR + TILE, B_STRIDE);
    const pv b0 = pv_load(b), b1 = pv_load(b + PW);
    for (int i = 0; i < m; i++, c += c_row, initial += initial ? PK_NR : 0) {
        const pv scale = pv_set(a[i]);
        const __m512i start = _mm512_castps_si512(pv_set(a[MR + i]));
        scale_sums(c, sums + i * PK_NR, start, pv_mul(scale, b0), initial, n);
        if (n > PW)
            scale_sums(c + PW, sums + i * PK_NR + PW, start, pv_mul(scale, b1), initial ? initial + PW : NULL, n - PW);
    }
}

/* Products of tiles of zeros, without memory. Returns the operations, two for each product of two numbers, of which a
 * lane has per_lane. */
PK_INLINE double tile_peak(const tile_dot dot, int64_t rounds, int per_lane)
{
    pk_tiles host;
    PK_NAME(enter_tiles)(&host);                        /* zeroes all tiles */
    for (int64_t r = 0; r < rounds; r++) {
        DOT(0, 4, 6);
        DOT(1, 4, 7);
        DOT(2, 5, 6);
        DOT(3, 5, 7);
    }
    PK_NAME(leave_tiles)(&host);
    return 4.0 * (double)rounds * TILE * TILE * TILE * per_lane * 2;
}

double PK_NAME(dots_tiles)(int64_t rounds);
double PK_NAME(dots_tiles)(int64_t rounds) { return tile_peak(DOT_BF16, rounds, 2); }
double PK_NAME(dots_tiles_bytes)(int64_t rounds);
double PK_NAME(dots_tiles_bytes)(int64_t rounds) { return tile_peak(DOT_BYTES, rounds, 4); }
