/* SPDX-License-Identifier: Apache-2.0
 * passes.h -- the table of passes that rewrite a graph (passes.def), and a helper that two of them share. */
#ifndef PF_PASSES_H
#define PF_PASSES_H
#include "core/graph/op.h"

/* The phases in their order: passes on the forward graph; the pass that appends the backward nodes; passes on all
 * nodes. */
typedef enum pf_phase { PF_FORWARD, PF_GRADIENTS, PF_ALL_NODES, PF_PHASES } pf_phase;
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

/* Drops nodes without an effect whose outputs no remaining node reads. trim_outputs: also sets outputs (but the first)
 * that no node reads to PF_NONE. */
peft_status pf_drop_unread(pf_graph *g, bool trim_outputs);
#endif
