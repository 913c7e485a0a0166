/* SPDX-License-Identifier: Apache-2.0
 * blocks.h -- an allocator that keeps freed blocks and returns them for the next request of the same size, so that a
 * predictor allocates nothing when calls repeat. Used by one thread at a time. */
#ifndef IO_BLOCKS_H
#define IO_BLOCKS_H
#include "io/io.h"

/* Written to the beginning of a block while it is free. */
typedef struct io_block { struct io_block *next; size_t size; } io_block;
/* The list of free blocks; ctx: from whose allocator the blocks come. */
typedef struct io_blocks { peft_context *ctx; io_block *first_free; } io_blocks;

/* Creates a context that allocates from b and writes to the log of b->ctx. b must stay at its address until the context
 * is freed. */
peft_status io_blocks_context(io_blocks *b, peft_context **out);
/* Frees the blocks in the list, which are in use nowhere. */
void        io_blocks_clear(io_blocks *b);
#endif
