/* SPDX-License-Identifier: Apache-2.0
 * tiles.h -- the instructions of src/kernels/tiles/tile_ops.h as functions, for CPUs without AMX. Each thread has eight
 * tiles and a configuration. What the CPU refuses (a tile that the configuration lacks, shapes that do not fit
 * together, a reserved configuration) ends the program with a message. */
#ifndef EMULATED_TILES_H
#define EMULATED_TILES_H
#include <stdint.h>

void emulated_configure(const void *config);            /* LDTILECFG */
void emulated_configuration(void *config);              /* STTILECFG */
void emulated_zero(int tile);
void emulated_load(int tile, const void *from, int64_t stride);
void emulated_store(int tile, void *to, int64_t stride);
void emulated_dot_bf16(int c, int a, int b);            /* TDPBF16PS */
void emulated_dot_bytes(int c, int a, int b);           /* TDPBSUD */

int64_t emulated_dots(void);                            /* products of tiles so far, of all threads */
/* What pk_tiles_refusal returns from now on; NULL, as at first: the permission is given. */
void emulated_refuse(const char *why);

#define tile_configure(config) emulated_configure(config)
#define tile_configuration(config) emulated_configuration(config)
#define tile_release() emulated_configure(&(const tile_config){ .palette = 0 })
#define tile_zero(t) emulated_zero(t)
#define tile_load(t, from, stride) emulated_load(t, from, stride)
#define tile_store(t, to, stride) emulated_store(t, to, stride)
#define tile_dot_bf16(c, a, b) emulated_dot_bf16(c, a, b)
#define tile_dot_bytes(c, a, b) emulated_dot_bytes(c, a, b)
#endif
