/* SPDX-License-Identifier: Apache-2.0
 * rope.h -- tables of rotary positions, for the operations of rope.c and for the tables that a backbone keeps.
 * A row belongs to one position (patch) and has, for a head of n elements, n cosines and then n sines of the angle of
 * the pair that the element belongs to; the sine of the pair's first element is negative (kernel rotate). */
#ifndef PF_ROPE_H
#define PF_ROPE_H
#include <math.h>
#include <stdbool.h>
#include "kernels/pk.h"

/* Attributes i of rope. TABLES: 1, or the number of heads if each has its own table. FIRST: the row of x that
 * position 0 rotates; rows before it stay as they are. It is below 0 if pass_rows left out rows of x: row 0 then has
 * the position -FIRST. HOW: bits; HALVES: the pairs are (j, j + n/2), else neighbours; INVERSE: by the negative
 * angles. */
enum { PF_ROTATE_HEADS, PF_ROTATE_TABLES, PF_ROTATE_FIRST, PF_ROTATE_HOW };
enum { PF_ROTATE_HALVES = 1, PF_ROTATE_INVERSE = 2 };

/* Writes the elements of pair i, of n / 2 pairs: n is the number of elements of a head. */
static inline void pf_rope_set(pk_real *row, int64_t i, int64_t n, bool halves, pk_real angle)
{
    const int64_t first = halves ? i : 2 * i, second = halves ? i + n / 2 : 2 * i + 1;
    const pk_real cosine = (pk_real)cos((double)angle), sine = (pk_real)sin((double)angle);
    row[first] = row[second] = cosine;
    row[n + first] = -sine;
    row[n + second] = sine;
}

/* The coordinates of a patch in a grid of so many columns: row and column, or with xy column and row. */
static inline void pf_rope_coordinates(int64_t position, int64_t columns, bool xy, pk_real at[2])
{
    at[xy] = (pk_real)(position / columns);
    at[!xy] = (pk_real)(position % columns);
}

/* The row at these coordinates of a head with trained frequencies fx, fy [count], of neighbouring pairs. */
static inline void pf_rope_mixed_row(const pk_real *fx, const pk_real *fy, const pk_real at[2], int64_t count,
                                     pk_real *row)
{
    for (int64_t i = 0; i < count; i++) {
        const pk_real x = at[0] * fx[i], y = at[1] * fy[i];
        pf_rope_set(row, i, 2 * count, false, x + y);
    }
}
#endif
