/* SPDX-License-Identifier: Apache-2.0
 * arena.c -- the bounded memory of the pickle machine (value.h). */
#include "core/format/torch/value.h"

enum { FIRST_BLOCK = 4096, BLOCK_MAX = 1 << 20, ALIGNMENT = 8 };
typedef struct pf_arena_block { struct pf_arena_block *next; size_t size, used; } block;

peft_status pf_arena_count(pf_arena *a, size_t n)
{
    if (n > a->limit - a->used)
        return pf_fail(PEFT_E_FORMAT, "the objects of the pickle need more than %zu bytes, the bound for a file of "
                       "this size: it is damaged or made to exhaust memory", a->limit);
    a->used += n;
    return PEFT_OK;
}

void pf_arena_release(pf_arena *a, size_t n) { a->used -= n; }

/* A new block with room for n bytes: twice as large as the one before up to BLOCK_MAX, or what the limit still leaves.
 * NULL: the error is set. */
static block *add_block(pf_arena *a, size_t n)
{
    size_t size = a->block ? 2 * a->block->size : FIRST_BLOCK;
    if (size > BLOCK_MAX) size = BLOCK_MAX;
    if (size > a->limit - a->used && a->limit - a->used >= sizeof(block)) size = a->limit - a->used;
    if (size < n + sizeof(block)) size = n + sizeof(block);
    if (pf_arena_count(a, size)) return NULL;
    block *b = pf_alloc_zero(a->ctx, size);
    if (!b) {
        pf_nomem("objects of the pickle", size);
        return NULL;
    }
    *b = (block){ a->block, size, sizeof *b };
    return a->block = b;
}

void *pf_arena_take(pf_arena *a, size_t n)
{
    n = (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    block *b = a->block;
    if (!b || n > b->size - b->used) b = add_block(a, n);
    if (!b) return NULL;
    b->used += n;
    return (char *)b + b->used - n;
}

void pf_arena_free(pf_arena *a)
{
    for (block *b = a->block, *next; b; b = next) {
        next = b->next;
        pf_free(a->ctx, b);
    }
    a->block = NULL;
}
