/* SPDX-License-Identifier: Apache-2.0
 * keep.h -- a graph whose backward pass reads values of the forward pass rounded to bf16, so that they take half the
 * memory between the two passes. The forward pass reads each value as it is.
 *
 * A value is rounded if every node of the backward pass that reads it allows that (pf_op.rounds, reads_bf16): operands
 * of products, activations, normalisations and attention do, statistics and choices of rows do not. Values without a
 * row for each token (a pooled feature) stay as they are, because they are small. The choice depends on the operations
 * alone, so that results do not depend on batch, threads or memory plan. */
#ifndef PF_KEEP_H
#define PF_KEEP_H
#include "core/graph/op.h"

/* The graph as it was given, and what is known of its values; a view counts as the value that it is a view of. */
typedef struct pf_keep {
    pf_graph *g;                         /* the graph to rewrite */
    pf_node *node; uint32_t nodes, values, prefix;       /* the given graph */
    uint8_t *chosen;                     /* [value]: the backward pass reads it rounded */
    uint32_t *first_exact, *last_exact;  /* [value]: the first and the last node that compute it, or read it as it is:
                                          * nodes of the forward pass or repetitions of one; UINT32_MAX: none */
    uint32_t *first_rounded;             /* [value]: the first node that reads it rounded; UINT32_MAX: none */
    pf_val *half, *wide;                 /* [value]: its copy in bf16, and the same numbers as pk_real, where the
                                          * rewritten graph has them already */
} pf_keep;

/* Does n compute what the forward pass computes, and so read exact values? */
static inline bool pf_keep_exact(const pf_node *n) { return !n->backward || n->again; }
/* Sets chosen, first_exact, last_exact and first_rounded. */
void        pf_keep_choose(pf_keep *k);
/* Rewrites g for the chosen values: `narrow` rounds each behind the last node that reads it as it is, and `widen`
 * converts it back before the first node that cannot read bf16. Does nothing unless pf_compile_spec.keep is PK_BF16. */
peft_status pf_keep_rewrite(pf_graph *g);
#endif
