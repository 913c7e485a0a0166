/* SPDX-License-Identifier: Apache-2.0
 * class_row.h -- the row of the class token among the tokens, while a graph is built. The backbone puts it first; a
 * method such as DVPT inserts prompts in front of it. */
#ifndef PF_CLASS_ROW_H
#define PF_CLASS_ROW_H
#include "core/graph/graph.h"

/* row: at the present site; node: the first node of the site that is being built. */
typedef struct pf_class_row { int64_t row; uint32_t node; } pf_class_row;
/* To be called at each site of the backbone's pass before and after the model's methods act there (pf_overlay). */
void pf_class_row_before(pf_class_row *c, const pf_graph *g, const peft_site *s);
void pf_class_row_after(pf_class_row *c, const pf_graph *g, const peft_site *s);
/* The node that computes v as its first output, of those from node `first` on; NULL: none does. */
const pf_node *pf_maker_of(const pf_graph *g, uint32_t first, pf_val v);
#endif
