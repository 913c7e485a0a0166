/* SPDX-License-Identifier: Apache-2.0
 * blocks.c -- see blocks.h. */
#include "io/predictor/blocks.h"

/* The allocator of a context made from another one's memory: peft_sys_alloc takes no lock, so that it may be called
 * here. Its blocks are aligned to 64 bytes, which is what the library asks for. */
static void *take(size_t size, size_t align, void *user)
{
    io_blocks *b = user;
    (void)align;
    for (io_block **at = &b->waiting; *at; at = &(*at)->next)
        if ((*at)->size == size) {
            io_block *found = *at;
            *at = found->next;
            return found;
        }
    return peft_sys_alloc(b->ctx, size < sizeof(io_block) ? sizeof(io_block) : size);
}

static void give(void *block, size_t size, void *user)
{
    io_blocks *b = user;
    io_block *waits = block;
    *waits = (io_block){ b->waiting, size };
    b->waiting = waits;
}

static void pass_on(int level, const char *message, void *user)
{
    peft_sys_log(((io_blocks *)user)->ctx, level, message);
}

peft_status io_blocks_context(io_blocks *b, peft_context **out)
{
    peft_status s = peft_context_create(take, give, b, out);
    return s ? s : peft_context_set_log(*out, pass_on, b, 3);
}

void io_blocks_trim(io_blocks *b)
{
    for (io_block *next; b->waiting; b->waiting = next) {
        next = b->waiting->next;
        peft_sys_free(b->ctx, b->waiting);
    }
}
