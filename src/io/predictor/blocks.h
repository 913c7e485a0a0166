/* SPDX-License-Identifier: Apache-2.0
 * blocks.h -- an allocator for the temporary objects of calls that repeat: a block that is given back is kept and
 * serves the next request of the same size. Used by one thread at a time. */
#ifndef IO_BLOCKS_H
#define IO_BLOCKS_H
#include "io/io.h"

typedef struct io_block { struct io_block *next; size_t size; } io_block;      /* the beginning of a block that waits */
typedef struct io_blocks { peft_context *ctx; io_block *waiting; } io_blocks;  /* ctx: whose memory the blocks are */

/* A context whose memory comes from b and whose log is that of b->ctx. b must not move or end before the context. */
peft_status io_blocks_context(io_blocks *b, peft_context **out);
/* Gives the blocks that wait back to b->ctx. */
void        io_blocks_trim(io_blocks *b);
#endif
