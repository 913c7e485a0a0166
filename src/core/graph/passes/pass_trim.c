/* SPDX-License-Identifier: Apache-2.0
 * pass_trim.c -- does what the clean pass does, and sets outputs (but the first) that no node reads to PF_NONE, so that
 * the node does not store them. Runs after the grad pass, whose backward nodes may read such outputs. */
#include "core/graph/passes/passes.h"

peft_status pf_pass_trim(pf_graph *g) { return pf_drop_unread_nodes_and_outputs(g); }
