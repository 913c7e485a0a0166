/* SPDX-License-Identifier: Apache-2.0
 * report.h -- a compiled graph as a table, one line an operation: printed as it is planned (peft_session_describe), or
 * logged while it runs with the time that each operation took (log level 3). docs/verbose.md explains the columns. */
#ifndef PF_REPORT_H
#define PF_REPORT_H
#include "core/graph/exec.h"

enum { PF_ROW_ROOM = 640 };              /* bytes of a line */

/* The line of node i, which has to be bound to memory (pf_exec_bind). */
void    pf_row(const pf_exec *e, uint32_t i, char line[PF_ROW_ROOM]);
int64_t pf_row_flops(const pf_exec *e, uint32_t i);                    /* the numbers in it */
int64_t pf_row_bytes(const pf_exec *e, uint32_t i);
void    pf_row_header(char line[PF_ROW_ROOM]);                         /* the names of the columns */

/* The names of the tensors that node i reads, "blocks.0.norm1.weight,bias"; in front of them, the parameter whose
 * gradient it makes. An operation on results alone has, in parentheses, the names of the operation that made the first
 * of them, or "-". */
void pf_row_tensors(const pf_graph *g, uint32_t i, char *text, size_t room);

/* The named tensors that n reads, which need not be a node of the graph yet; "" where it reads none. Returns text. */
const char *pf_node_tensors(const pf_graph *g, const pf_node *n, char *text, size_t room);

/* Header, all lines and totals. */
void pf_exec_describe(const pf_exec *e, void (*fn)(const char *line, void *user), void *user);
/* Runs node i and logs its line with the time that it took. */
void pf_trace_node(const pf_exec *e, uint32_t i);
#endif
