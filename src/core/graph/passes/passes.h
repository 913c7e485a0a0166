/* SPDX-License-Identifier: Apache-2.0
 * passes.h -- the table of passes that rewrite a graph (passes.def), and the functions that the passes clean and trim
 * call. */
#ifndef PF_PASSES_H
#define PF_PASSES_H
#include "core/graph/op.h"

/* The phases in their order: passes on the forward graph; the pass that appends the backward nodes; passes on all
 * nodes; then, by pf_compile_memory, passes on the graph or the part of it that is planned and run. */
typedef enum pf_phase { PF_FORWARD, PF_GRADIENTS, PF_ALL_NODES, PF_MEMORY } pf_phase;
typedef struct pf_pass {
    const char *name;
    peft_status (*run)(pf_graph *g);     /* leaves a valid graph or an error */
    pf_phase phase;
    bool required;                       /* the graph is wrong without it, so that pf_compile refuses to leave it out */
    bool exact;                          /* results without it are the same bit for bit; else they differ by rounding */
} pf_pass;
extern const pf_pass pf_passes[];        /* ends with a NULL name */

#define PF_PASS(name, function, phase, required, exact) peft_status function(pf_graph *g);
#include "core/graph/passes/passes.def"
#undef PF_PASS

/* Drops nodes without an effect outside the graph whose outputs neither a remaining node nor the caller reads. The
 * second function also sets unread outputs of the remaining nodes to PF_NONE, but for the first output of each. */
peft_status pf_drop_unread_nodes(pf_graph *g);
peft_status pf_drop_unread_nodes_and_outputs(pf_graph *g);
#endif
