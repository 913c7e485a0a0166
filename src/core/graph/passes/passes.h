/* SPDX-License-Identifier: Apache-2.0
 * passes.h -- what the files of this folder share. */
#ifndef PF_PASSES_H
#define PF_PASSES_H
#include "core/graph/op.h"

/* Drops nodes that no living node reads and that have no effect; outputs: also outputs (but the first) of the others
 * that no node reads. */
peft_status pf_drop_unread(pf_graph *g, bool outputs);
#endif
