/* SPDX-License-Identifier: Apache-2.0
 * blocks.c -- the allocator of blocks.h, and a context that uses it. */
#include "io/predictor/blocks.h"

/* The allocating function of the context. It may call peft_sys_alloc, which takes no lock and aligns blocks to 64
 * bytes; the library requires no larger alignment. */
static void *allocate(size_t size, size_t align, void *user)
{
    io_blocks *b = user;
    (void)align;
    for (io_block **link = &b->free; *link; link = &(*link)->next)
        if ((*link)->size == size) {
            io_block *found = *link;
            *link = found->next;
            return found;
        }
    return peft_sys_alloc(b->ctx, size < sizeof(io_block) ? sizeof(io_block) : size);
}

static void release(void *block, size_t size, void *user)
{
    io_blocks *b = user;
    io_block *head = block;
    *head = (io_block){ b->free, size };
    b->free = head;
}

static void forward_log(int level, const char *message, void *user)
{
    peft_sys_log(((io_blocks *)user)->ctx, level, message);
}

peft_status io_blocks_context(io_blocks *b, peft_context **out)
{
    peft_status s = peft_context_create(allocate, release, b, out);
    return s ? s : peft_context_set_log(*out, forward_log, b, 3);
}

void io_blocks_trim(io_blocks *b)
{
    for (io_block *next; b->free; b->free = next) {
        next = b->free->next;
        peft_sys_free(b->ctx, b->free);
    }
}
