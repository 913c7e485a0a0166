/* SPDX-License-Identifier: Apache-2.0
 * blocks.c -- the allocator of blocks.h, and a context that uses it. */
#include "io/predictor/blocks.h"

enum { ALL_LOG_LEVELS = 3 };                                  /* the highest level of peft_context_set_log */

/* The allocating function of the context. It may call peft_sys_alloc, which takes no lock and aligns blocks to 64
 * bytes; the library requires no larger alignment. */
static void *allocate(size_t size, size_t align, void *user)
{
    io_blocks *b = user;
    (void)align;
    for (io_block **link = &b->first_free; *link; link = &(*link)->next)
        if ((*link)->size == size) {
            io_block *found = *link;
            *link = found->next;
            return found;
        }
    return peft_sys_alloc(b->ctx, size < sizeof(io_block) ? sizeof(io_block) : size);
}

/* The freeing function of the context: adds the block to the list. */
static void release(void *block, size_t size, void *user)
{
    io_blocks *b = user;
    io_block *head = block;
    *head = (io_block){ .next = b->first_free, .size = size };
    b->first_free = head;
}

/* The log function of the context: passes messages on to b->ctx, which knows the levels that its caller wants. */
static void forward_log(int level, const char *message, void *user)
{
    peft_sys_log(((io_blocks *)user)->ctx, level, message);
}

peft_status io_blocks_context(io_blocks *b, peft_context **out)
{
    peft_status s = peft_context_create(allocate, release, b, out);
    return s ? s : peft_context_set_log(*out, forward_log, b, ALL_LOG_LEVELS);
}

void io_blocks_clear(io_blocks *b)
{
    for (io_block *next; b->first_free; b->first_free = next) {
        next = b->first_free->next;
        peft_sys_free(b->ctx, b->first_free);
    }
}
