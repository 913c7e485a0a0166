/* SPDX-License-Identifier: Apache-2.0
 * tile_ops.h -- the instructions of AMX on the tile registers tmm0 .. tmm7. A tile argument is a literal number, 0 to
 * 7. They are written as assembler, because the compilers' intrinsics for loads do not tell the compiler that they read
 * memory. The tests compile the kernels with PK_EMULATED_TILES, where functions in C take the instructions' place
 * (tests/kernels/emulated). */
#ifndef PK_TILE_OPS_H
#define PK_TILE_OPS_H
#include <stdint.h>

enum { TILE = 16, TILES = 8, TILE_BYTES = 1024 };       /* rows of a tile, and 32-bit lanes of a row; 8 tiles */

/* What LDTILECFG loads and STTILECFG stores. palette 0: the registers are in their initial state, without tiles. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;
_Static_assert(sizeof(tile_config) == 64, "the configuration of tiles has 64 bytes");

#if defined(PK_EMULATED_TILES)
#include "kernels/emulated/tiles.h"
#else
#define tile_configure(config) __asm__ volatile("ldtilecfg %0" : : "m"(*(config)) : "memory")
#define tile_configuration(config) __asm__ volatile("sttilecfg %0" : "=m"(*(config)))
#define tile_release() __asm__ volatile("tilerelease" : : : "memory")
#define tile_zero(t) __asm__ volatile("tilezero %%tmm" #t : :)
/* Rows are `stride` bytes apart. */
#define tile_load(t, from, stride) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t : : "r"(from), "r"((int64_t)(stride)) : "memory")
#define tile_store(t, to, stride) \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" : : "r"(to), "r"((int64_t)(stride)) : "memory")
/* c += a b. A lane of a row of a, and of b, has two bf16, or four bytes: those of a are signed, of b unsigned. */
#define tile_dot_bf16(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c : :)
#define tile_dot_bytes(c, a, b) __asm__ volatile("tdpbsud %%tmm" #b ", %%tmm" #a ", %%tmm" #c : :)
#endif
#endif
