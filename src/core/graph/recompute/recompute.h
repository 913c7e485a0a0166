/* SPDX-License-Identifier: Apache-2.0
 * recompute.h -- a graph in which the backward pass computes values of the forward pass again instead of keeping them
 * in memory from one pass to the other. A repetition is the same operation on the same inputs with the same attributes,
 * among them the stream of random numbers, so that it gives the same bits. */
#ifndef PF_RECOMPUTE_H
#define PF_RECOMPUTE_H
#include "core/graph/op.h"

/* The graph as it was given, by which each rewrite begins, and the nodes that are chosen. Arrays over values and nodes
 * have the entries of the given graph. */
typedef struct pf_recompute {
    pf_graph *g;                         /* the graph to rewrite */
    pf_node *node; uint32_t nodes, values, prefix;       /* the given graph */
    uint32_t *writer;                    /* [value]: the node of the forward pass that computes it, if the node can be
                                          * repeated; UINT32_MAX: another value, which is read where it is */
    uint8_t *kept;                       /* [value]: 1: the backward pass reads it; 2: it is read after the run, too */
    uint8_t *chosen;                     /* [node]: 1: its outputs are not kept, but computed again */
    uint8_t *repeated;                   /* [node]: 1: the rewritten graph has a repetition of it */
    pf_val *copy;                        /* [value]: what a repetition computes in its place; PF_NONE: nothing */
    uint8_t *half;                       /* [value]: 1: where most bytes are alive, only its copy in bf16 is (keep/) */
} pf_recompute;

peft_status pf_recompute_begin(pf_recompute *r, pf_graph *g);
void        pf_recompute_end(pf_recompute *r);
/* Rewrites the graph for the chosen nodes. A repetition runs right before the first node of the backward pass that
 * reads one of its outputs; what it reads and what is not kept is computed again before it. Outputs that no node reads
 * any more stay in the graph. */
peft_status pf_recompute_rewrite(pf_recompute *r);
/* Is v, a value of the given graph, in memory during the backward pass if the chosen nodes are repeated? */
bool        pf_recompute_available(const pf_recompute *r, pf_val v);
/* What the repetition of node i costs beside the repetitions that the rewritten graph has, in FLOPs; a byte that is
 * read or written counts as PF_BYTE_FLOPS. *more: the bytes that are alive longer because the repetition reads values
 * as they are of which else only the copy in bf16 would be kept. */
enum { PF_BYTE_FLOPS = 16 };
double      pf_recompute_cost(const pf_recompute *r, uint32_t i, size_t *more);
#endif
