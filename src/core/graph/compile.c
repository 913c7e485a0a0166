/* SPDX-License-Identifier: Apache-2.0
 * compile.c -- the order of the passes. Rewrites of the forward graph come first, so that the grad pass inherits them;
 * epilogues are fused when forward and backward stand. */
#include "core/graph/graph.h"

peft_status pf_compile(pf_graph *g, pf_val loss)
{
    peft_status (*const first[])(pf_graph *) = {
        pf_pass_clean, pf_pass_rows, pf_pass_hoist, pf_pass_clean, pf_pass_share, pf_pass_merge };
    peft_status (*const then[])(pf_graph *) = { pf_pass_clean, pf_pass_fuse, pf_pass_trim, pf_pass_split,
                                                pf_pass_place };
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        peft_status s = first[i](g);
        if (s) return s;
    }
    if (pf_is(loss) && pf_pass_grad(g, loss)) return g->status;
    for (size_t i = 0; i < sizeof then / sizeof *then; i++) {
        peft_status s = then[i](g);
        if (s) return s;
    }
    return PEFT_OK;
}
