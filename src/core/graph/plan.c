/* SPDX-License-Identifier: Apache-2.0
 * plan.c -- the memory plan: gives every computed value an offset in one arena. Liveness is exact, from the node that
 * writes a value first to the last one that reads it. An operation that allows it works in-place. Then values are
 * placed by size, the largest first, each at the lowest offset that is free during its whole life. Values that the
 * caller fills (pf_value.from_caller) are live from the start and placed first, without gaps, so that the rest of the
 * arena is free until the run. */
#include <stdlib.h>
#include <string.h>
#include "core/graph/exec.h"

/* The memory of value id, live from node first to node last; bytes and offset in the arena. */
typedef struct { uint32_t id, first, last; bool from_caller; size_t bytes, offset; } block;
/* What is known of each value; all arrays have an entry a value. */
typedef struct {
    const pf_graph *g;
    uint32_t *first, *last;              /* first and last node of its life */
    pf_val *memory_of;                   /* the value in whose memory it lies (in-place); itself: it has its own */
    uint8_t *viewed;                     /* 1: other values are column views of this one */
} liveness;

/* The value in whose memory v lies: v, the value that it is a view of, or the one that it overwrites. */
static pf_val storage(const liveness *p, pf_val v) { return p->memory_of[pf_root(p->g, v).id]; }

/* Sets first, last and viewed. A value that no node writes has first UINT32_MAX; one that is read after the run (keep)
 * has last UINT32_MAX. A column view extends the life of the value that owns the memory. */
static void find_lifetimes(liveness *p)
{
    const pf_graph *g = p->g;
    for (uint32_t v = 0; v < g->values; v++) {
        p->first[v] = g->value[v].from_caller ? 0 : UINT32_MAX;
        p->last[v] = 0;
        p->memory_of[v] = (pf_val){ v };
        if (pf_exists(g->value[v].view_of)) p->viewed[pf_root(g, (pf_val){ v }).id] = 1;
    }
    for (uint32_t i = 0; i < g->nodes; i++) {
        for (int k = 0; k < PF_MAX_OUT; k++) {
            uint32_t r = pf_root(g, g->node[i].out[k]).id;
            if (p->first[r] == UINT32_MAX) p->first[r] = i;
            p->last[r] = i;
        }
        for (int k = 0; k < PF_MAX_IN; k++) p->last[pf_root(g, g->node[i].in[k]).id] = i;
    }
    for (uint32_t v = 1; v < g->values; v++)
        if (g->value[v].keep) p->last[pf_root(g, (pf_val){ v }).id] = UINT32_MAX;
}

/* May node i write out[0] over its input k? The operation must allow it, and no other input, later node or view may
 * read that memory. */
static bool can_overwrite(const liveness *p, uint32_t i, int k)
{
    const pf_graph *g = p->g;
    const pf_node *n = &g->node[i];
    pf_val v = n->in[k], out = n->out[0];
    if (!(n->op->inplace >> k & 1) || !pf_exists(v) || !pf_exists(out)) return false;
    if (pf_v(g, v)->kind != PF_TEMP || pf_exists(pf_v(g, v)->view_of) || pf_exists(pf_v(g, out)->view_of)) return false;
    if (p->viewed[v.id] || p->viewed[out.id] || p->last[storage(p, v).id] != i) return false;
    for (int o = 0; o < PF_MAX_IN; o++) if (o != k && pf_eq(n->in[o], v)) return false;
    return pf_v(g, v)->type == pf_v(g, out)->type
        && pf_shape_count(&pf_v(g, v)->shape) == pf_shape_count(&pf_v(g, out)->shape);
}

/* Gives out[0] of each node the memory of the first input that it may overwrite. */
static void reuse_in_place(liveness *p)
{
    for (uint32_t i = 0; i < p->g->nodes; i++)
        for (int k = 0; k < PF_MAX_IN; k++) {
            if (!can_overwrite(p, i, k)) continue;
            pf_val out = p->g->node[i].out[0], s = storage(p, p->g->node[i].in[k]);
            p->memory_of[out.id] = s;
            p->last[s.id] = p->last[out.id];
            break;
        }
}

/* The order in which blocks are placed, for qsort: those that the caller fills first, then larger before smaller ones,
 * then those that are alive until later, then by id. */
static int compare_blocks(const void *a, const void *b)
{
    const block *x = a, *y = b;
    if (x->from_caller != y->from_caller) return x->from_caller ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    if (x->last != y->last) return x->last < y->last ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Inserts b into placed[0 .. n-1], which is sorted by offset, at the lowest offset where it overlaps no block that is
 * live at the same time; if not may_share, where it overlaps no block at all. */
static void place(block *placed, uint32_t n, block b, bool may_share)
{
    size_t offset = 0;
    for (uint32_t i = 0; i < n; i++) {
        const block *o = &placed[i];
        if (may_share && (o->first > b.last || b.first > o->last)) continue;
        if (o->offset >= offset + b.bytes) break;        /* b fits before this block */
        if (o->offset + o->bytes > offset) offset = o->offset + o->bytes;
    }
    b.offset = offset;
    uint32_t at = n;
    while (at > 0 && placed[at - 1].offset > offset) at--;
    memmove(placed + at + 1, placed + at, (n - at) * sizeof *placed);
    placed[at] = b;
}

/* Places all values; returns the number of blocks. blocks: memory for two entries a value: first the blocks in the
 * order of placing, then the same blocks, placed. */
static uint32_t arrange(pf_plan *plan, const liveness *p, block *blocks, unsigned flags)
{
    const pf_graph *g = p->g;
    uint32_t n = 0;
    for (uint32_t v = 1; v < g->values; v++) {
        if (g->value[v].kind != PF_TEMP || p->first[v] == UINT32_MAX || p->memory_of[v].id != v) continue;
        if (pf_exists(g->value[v].view_of)) continue;
        const size_t bytes = pf_align_up((size_t)pf_value_bytes(&g->value[v]));
        if (g->value[v].from_caller) plan->from_caller += bytes;
        blocks[n++] = (block){ v, p->first[v], p->last[v], g->value[v].from_caller, bytes, 0 };
    }
    qsort(blocks, n, sizeof *blocks, compare_blocks);
    block *placed = blocks + n;
    const bool may_share = !(flags & PF_PLAN_NAIVE);
    for (uint32_t i = 0; i < n; i++) place(placed, i, blocks[i], may_share);
    for (uint32_t i = 0; i < n; i++) {
        plan->offset[placed[i].id] = placed[i].offset;
        if (placed[i].offset + placed[i].bytes > plan->arena) plan->arena = placed[i].offset + placed[i].bytes;
    }
    for (uint32_t v = 1; v < g->values; v++) {
        if (p->first[v] != UINT32_MAX && p->memory_of[v].id != v) plan->offset[v] = plan->offset[p->memory_of[v].id];
        plan->last[v] = p->last[v];
    }
    return n;
}

/* Sets alive and fullest. change: zeros, one entry for each node and one more; receives by how many bytes more are
 * alive at a node than at the one before. */
static void find_fullest(pf_plan *plan, const pf_graph *g, const block *placed, uint32_t n, int64_t *change)
{
    int64_t alive = 0;
    for (uint32_t i = 0; i < n; i++) {
        change[placed[i].first] += (int64_t)placed[i].bytes;
        if (placed[i].last < g->nodes) change[placed[i].last + 1] -= (int64_t)placed[i].bytes;
    }
    for (uint32_t i = 0; i < g->nodes; i++) {
        alive += change[i];
        if ((size_t)alive <= plan->alive) continue;
        plan->alive = (size_t)alive;
        plan->fullest = i;
    }
}

peft_status pf_plan_make(pf_plan *plan, const pf_graph *g, unsigned flags)
{
    /* one allocation for the two arrays of the plan, and one for the blocks, find_fullest and the arrays of liveness */
    size_t entry_bytes = sizeof(size_t) + sizeof(uint32_t), bytes = g->values * entry_bytes;
    memset(plan, 0, sizeof *plan);
    plan->offset = pf_alloc(g->ctx, bytes);
    size_t temporary = g->values * (2 * sizeof(block) + 2 * sizeof(uint32_t) + sizeof(pf_val) + 1)
                     + (g->nodes + 1) * sizeof(int64_t);
    block *memory = pf_alloc_zero(g->ctx, temporary);
    if (!plan->offset || !memory) {
        pf_free(g->ctx, memory);
        pf_plan_free(plan, g);
        return pf_nomem("memory plan", bytes + temporary);
    }
    plan->last = (uint32_t *)(plan->offset + g->values);
    for (uint32_t v = 0; v < g->values; v++) plan->offset[v] = SIZE_MAX;
    int64_t *change = (int64_t *)(memory + 2 * g->values);
    liveness p = { .g = g, .first = (uint32_t *)(change + g->nodes + 1) };
    p.last = p.first + g->values;
    p.memory_of = (pf_val *)(p.last + g->values);
    p.viewed = (uint8_t *)(p.memory_of + g->values);
    find_lifetimes(&p);
    if (!(flags & PF_PLAN_NAIVE)) reuse_in_place(&p);
    const uint32_t blocks = arrange(plan, &p, memory, flags);
    find_fullest(plan, g, memory, blocks, change);
    pf_free(g->ctx, memory);
    return PEFT_OK;
}

size_t pf_largest_scratch(const pf_graph *g, const pf_run *r)
{
    size_t largest = 0;
    for (uint32_t i = 0; i < g->nodes; i++) {
        size_t need = g->node[i].op->scratch_bytes ? g->node[i].op->scratch_bytes(r, &g->node[i]) : 0;
        if (need > largest) largest = need;
    }
    return largest;
}

void pf_plan_free(pf_plan *p, const pf_graph *g)
{
    pf_free(g->ctx, p->offset);
    memset(p, 0, sizeof *p);
}
