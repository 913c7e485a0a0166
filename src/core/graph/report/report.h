/* SPDX-License-Identifier: Apache-2.0
 * report.h -- a compiled graph as a table, one line an operation: printed as it is planned (peft_session_describe), or
 * logged while it runs with the time that each operation took (log level 3). docs/verbose.md explains the columns. */
#ifndef PF_REPORT_H
#define PF_REPORT_H
#include "core/graph/exec.h"

enum { PF_ROW_MAX = 640 };               /* bytes of a line */

/* Writes the line of node i; pf_exec_bind must have been called. */
void    pf_row(const pf_exec *e, uint32_t i, char line[PF_ROW_MAX]);
int64_t pf_row_flops(const pf_exec *e, uint32_t i);                    /* column flops of the line */
int64_t pf_row_bytes(const pf_exec *e, uint32_t i);                    /* column bytes: read and written */
void    pf_row_header(char line[PF_ROW_MAX]);                          /* the names of the columns */

/* Column tensors: first the parameter whose gradient node i computes, if it does, then the tensors that it reads:
 * "blocks.0.norm1.weight,bias". If node i reads computed values only, writes in parentheses what it would write for
 * the node that computed the first of them; "-": no name was found. */
void pf_row_tensors(const pf_graph *g, uint32_t i, char *text, size_t capacity);

/* Writes the names of the tensors that n reads; "": none has a name. n need not be a node of the graph yet. Returns
 * text. */
const char *pf_node_tensors(const pf_graph *g, const pf_node *n, char *text, size_t capacity);

/* Calls fn with each line of the table: header, operations and totals. */
void pf_exec_describe(const pf_exec *e, void (*fn)(const char *line, void *user), void *user);
/* Runs node i and logs its line with the time that it took. */
void pf_trace_node(const pf_exec *e, uint32_t i);
#endif
