/* SPDX-License-Identifier: Apache-2.0
 * host.c -- gives a thread the configuration of tiles with which the kernels of this folder compute, and afterwards the
 * state of its tile registers back: they may belong to the program, whose thread called the library or runs a task of
 * its pool (peft_context_set_pool). Mostly they are in their initial state. Then they are released, because tiles in
 * use make a switch of threads slower. It happens once for each thread and product: the three instructions for it take
 * some hundred cycles (published latencies), less than a tenth of a tile of 32 x 32 with K = 768. A signal handler of
 * the program may interrupt the kernels: the system keeps their registers for that time. */
#include "../simd/simd.h"
#include "tile_ops.h"

void PK_NAME(enter_tiles)(pk_tiles *host);
void PK_NAME(leave_tiles)(const pk_tiles *host);

_Static_assert(sizeof(((pk_tiles *)0)->config) == sizeof(tile_config) && sizeof(((pk_tiles *)0)->data[0]) == TILE_BYTES,
               "pk_tiles holds a configuration and the tiles");

#define EACH_TILE(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7)
enum { ROW_BYTES = TILE_BYTES / TILE };

void PK_NAME(enter_tiles)(pk_tiles *host)
{
    static const tile_config whole_tiles = { .palette = 1,
        .row_bytes = { ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES },
        .rows = { TILE, TILE, TILE, TILE, TILE, TILE, TILE, TILE } };
    tile_config *config = (tile_config *)host->config;
    tile_configuration(config);
    if (config->palette) {
#define SAVE(t) if (config->rows[t] && config->row_bytes[t]) tile_store(t, host->data[t], ROW_BYTES);
        EACH_TILE(SAVE)
    }
    tile_configure(&whole_tiles);
}

void PK_NAME(leave_tiles)(const pk_tiles *host)
{
    const tile_config *config = (const tile_config *)host->config;
    if (!config->palette) {
        tile_release();
        return;
    }
    tile_configure(config);
#define RESTORE(t) if (config->rows[t] && config->row_bytes[t]) tile_load(t, host->data[t], ROW_BYTES);
    EACH_TILE(RESTORE)
}
