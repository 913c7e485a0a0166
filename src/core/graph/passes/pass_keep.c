/* SPDX-License-Identifier: Apache-2.0
 * pass_keep.c -- lets the backward pass read values of the forward pass rounded to bf16 (keep/), if option keep says
 * so. */
#include "core/graph/keep/keep.h"
#include "core/graph/passes/passes.h"

peft_status pf_pass_keep(pf_graph *g) { return pf_keep_rewrite(g); }
