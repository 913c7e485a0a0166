/* SPDX-License-Identifier: Apache-2.0
 * pass_trim.c -- as the clean pass, and further outputs of a node that no node reads become PF_NONE, so that the node
 * does not compute or store them. Runs after the grad pass, which still asks for such outputs. */
#include "core/graph/passes/passes.h"

peft_status pf_pass_trim(pf_graph *g) { return pf_drop_unread(g, true); }
