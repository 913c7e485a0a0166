/* SPDX-License-Identifier: Apache-2.0
 * pass_recompute.c -- if the memory plan exceeds pf_compile_spec.memory_limit, chooses nodes of the forward pass whose
 * outputs the backward pass computes again (recompute/), so that they need not be kept from one pass to the other. One
 * node after the other: the one that costs least for each byte that it frees where the plan is fullest, until the plan
 * fits or no node frees anything there. */
#include <math.h>
#include "core/graph/keep/keep.h"
#include "core/graph/passes/passes.h"
#include "core/graph/recompute/recompute.h"

/* best: the nodes chosen when the plan was smallest so far, and best_bytes its size. */
typedef struct {
    pf_recompute r;
    uint8_t *best; size_t best_bytes;
    uint32_t *last_read, *first_read;    /* [value]: the last node of the forward pass and the first of the backward
                                          * pass that read it in the rewritten graph */
    bool tried;                          /* the graph was rewritten */
} search;

/* The bytes that arena and scratch of the graph take, with values kept in bf16 if option keep says so; *fullest: the
 * node at which most bytes are alive. */
static peft_status planned_bytes(const search *s, size_t *bytes, uint32_t *fullest)
{
    pf_plan plan;
    size_t scratch;
    PF_TRY(pf_keep_rewrite(s->r.g));
    PF_TRY(pf_exec_scratch(s->r.g, &scratch));
    PF_TRY(pf_plan_make(&plan, s->r.g, s->r.g->spec.flags));
    *bytes = plan.arena + scratch + PK_ALIGN;
    *fullest = plan.fullest;
    pf_plan_free(&plan, s->r.g);
    return PEFT_OK;
}

/* Rewrites the graph for the chosen nodes. What no node reads any more is not kept. */
static peft_status rewrite(search *s)
{
    PF_TRY(pf_recompute_rewrite(&s->r));
    return pf_drop_unread_nodes_and_outputs(s->r.g);
}

/* Sets last_read and first_read, and half of the values that are alive at node `fullest`. Reading the copy of a value
 * in bf16 counts as reading the value. */
static void find_reads(search *s, uint32_t fullest)
{
    const pf_graph *g = s->r.g;
    for (uint32_t v = 0; v < s->r.values; v++) {
        s->last_read[v] = 0;
        s->first_read[v] = UINT32_MAX;
        s->r.half[v] = 0;
    }
    for (uint32_t i = 0; i < g->nodes; i++)
        for (int k = 0; k < PF_MAX_IN; k++) {
            const pf_node *n = &g->node[i];
            const pf_val root = pf_root(g, n->in[k]), of = pf_v(g, root)->rounded;
            const uint32_t v = pf_exists(of) ? of.id : root.id;
            if (v >= s->r.values) continue;              /* an output of a repetition */
            if (!n->backward) s->last_read[v] = i;
            else if (s->first_read[v] == UINT32_MAX) s->first_read[v] = i;
            if (!n->backward && n->op == &pf_op_narrow) s->r.half[v] = 1;
        }
    for (uint32_t v = 0; v < s->r.values; v++)
        if (s->last_read[v] >= fullest || fullest >= s->first_read[v]) s->r.half[v] = 0;
}

/* How many bytes are free at node `fullest` if the outputs of node i of the given graph are computed again. */
static size_t freed_bytes(const search *s, uint32_t i, uint32_t fullest)
{
    const pf_recompute *r = &s->r;
    size_t bytes = 0;
    for (int k = 0; k < PF_MAX_OUT; k++) {
        const uint32_t v = r->node[i].out[k].id;
        if (!v || r->writer[v] != i || r->kept[v] != 1 || s->first_read[v] == UINT32_MAX) continue;
        if (s->last_read[v] < fullest && fullest < s->first_read[v])
            bytes += (size_t)(pf_shape_count(&pf_v(r->g, r->node[i].out[k])->shape)
                              * pk_dtype_size(r->half[v] ? PK_BF16 : PK_REAL));
    }
    return bytes;
}

/* The node that costs least for each byte that it frees at node `fullest`, and the first of them; UINT32_MAX: none. A
 * node for which as many bytes are alive longer as it frees is taken only if there is no other: together with a later
 * choice it may still save some. */
static uint32_t cheapest(const search *s, uint32_t fullest)
{
    uint32_t found = UINT32_MAX, alone = UINT32_MAX;
    double least = INFINITY, least_alone = INFINITY;
    for (uint32_t i = 0; i < s->r.nodes; i++) {
        const size_t bytes = s->r.chosen[i] ? 0 : freed_bytes(s, i, fullest);
        size_t more;
        if (!bytes) continue;
        const double cost = pf_recompute_cost(&s->r, i, &more);
        if (bytes > more && cost / (double)(bytes - more) < least) {
            least = cost / (double)(bytes - more);
            found = i;
        } else if (bytes <= more && cost / (double)bytes < least_alone) {
            least_alone = cost / (double)bytes;
            alone = i;
        }
    }
    return found != UINT32_MAX ? found : alone;
}

/* Chooses nodes until the plan is within the limit, or as small as it gets. */
static peft_status choose(search *s)
{
    size_t bytes;
    uint32_t fullest, next;
    PF_TRY(planned_bytes(s, &s->best_bytes, &fullest));
    for (bytes = s->best_bytes; bytes > s->r.g->spec.memory_limit;) {
        find_reads(s, fullest);
        next = cheapest(s, fullest);
        if (next == UINT32_MAX) break;
        s->r.chosen[next] = 1;
        s->tried = true;
        PF_TRY(rewrite(s));
        PF_TRY(planned_bytes(s, &bytes, &fullest));
        if (bytes >= s->best_bytes) continue;
        s->best_bytes = bytes;
        memcpy(s->best, s->r.chosen, s->r.nodes);
    }
    memcpy(s->r.chosen, s->best, s->r.nodes);
    return PEFT_OK;
}

/* Records the chosen nodes in the graph, and rewrites it for them, without what the keep pass does after this one. */
static peft_status keep_choice(search *s)
{
    pf_graph *g = s->r.g;
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->r.nodes; i++) count += s->r.chosen[i];
    if (count) {
        g->again = pf_alloc(g->ctx, count * sizeof *g->again);
        if (!g->again) return pf_nomem("graph pass", count * sizeof *g->again);
    }
    for (uint32_t i = 0; i < s->r.nodes; i++) if (s->r.chosen[i]) g->again[g->agains++] = i;
    return s->tried ? rewrite(s) : pf_recompute_rewrite(&s->r);
}

/* Finds or takes the choice, with the memory for it. */
static peft_status search_choice(search *s)
{
    const pf_graph *g = s->r.g;
    const size_t bytes = 2 * s->r.values * sizeof(uint32_t) + s->r.nodes;
    s->last_read = pf_alloc_zero(g->ctx, bytes);
    if (!s->last_read) return pf_nomem("graph pass", bytes);
    s->first_read = s->last_read + s->r.values;
    s->best = (uint8_t *)(s->first_read + s->r.values);
    s->tried = g->spec.agains > 0;
    for (uint32_t i = 0; i < g->spec.agains; i++)        /* a graph of other structure may have fewer nodes */
        if (g->spec.again[i] < s->r.nodes) s->r.chosen[g->spec.again[i]] = 1;
    peft_status status = g->spec.agains ? PEFT_OK : choose(s);
    if (!status) status = keep_choice(s);
    pf_free(g->ctx, s->last_read);
    return status;
}

/* A graph in which nothing shares memory is not smaller with repetitions, so none are chosen for it. */
peft_status pf_pass_recompute(pf_graph *g)
{
    search s = { .best = NULL };
    if (g->status) return g->status;
    const bool wanted = g->spec.memory_limit && !(g->spec.flags & PF_PLAN_NAIVE);
    if (!g->spec.agains && !wanted) return PEFT_OK;
    peft_status status = pf_recompute_begin(&s.r, g);
    if (!status) {
        status = search_choice(&s);
        pf_recompute_end(&s.r);
    }
    return g->status = status;
}
