/* SPDX-License-Identifier: Apache-2.0
 * machine.h -- the pickle machine: runs the opcodes of protocols 2 to 5 without executing anything. It makes values
 * (value.h) and keeps those that can lead to tensors. Time and memory are bounded by the size of the pickle. */
#ifndef PF_MACHINE_H
#define PF_MACHINE_H
#include "core/format/torch/value.h"

typedef struct pf_machine {
    pf_arena arena;
    const uint8_t *data; size_t size, at;      /* the pickle; at: the next byte */
    pf_pyvalue *stack; size_t depth, capacity;
    pf_pyvalue *memo; size_t memo_count, memo_capacity;
    pf_storage *storages; size_t storage_count;        /* all that were made, the last one first */
} pf_machine;

/* Sets up m for the pickle in a file that has file_size bytes in all. The memory of the machine and of the table of
 * tensors is at most file_size + 64 KiB, that of copied tensors (pf_st_fetch) at most file_size. */
void pf_machine_init(pf_machine *m, peft_context *ctx, const void *data, size_t size, size_t file_size);
/* Runs one pickle from m->at up to its STOP, and leaves m->at behind it. *out lives until pf_machine_free. */
peft_status pf_machine_run(pf_machine *m, pf_pyvalue *out);
void pf_machine_free(pf_machine *m);

/* --- stack.c: reading, stack and memo, for the opcodes ------------------------------------------------------------ */
/* The next n bytes of the pickle, behind which m->at moves. PEFT_E_FORMAT: fewer are left. */
peft_status pf_machine_bytes(pf_machine *m, uint64_t n, const uint8_t **out);
/* The number, little-endian, in the next 1 to 8 bytes. */
peft_status pf_machine_number(pf_machine *m, int bytes, uint64_t *out);
peft_status pf_machine_push(pf_machine *m, pf_pyvalue v);
peft_status pf_machine_pop(pf_machine *m, pf_pyvalue *out);                  /* refuses a MARK */
/* The values above the last MARK, in their order: items[n], valid until the next push. Removes them and the MARK. */
peft_status pf_machine_pop_mark(pf_machine *m, const pf_pyvalue **items, size_t *n);
/* The value on top, which stays. NULL: there is none; the error is set. */
const pf_pyvalue *pf_machine_top(const pf_machine *m);
peft_status pf_machine_remember(pf_machine *m, uint64_t index);             /* the top as this entry of the memo */
peft_status pf_machine_recall(pf_machine *m, uint64_t index);               /* pushes this entry */

/* --- ops_values.c, ops_containers.c, ops_objects.c: the opcodes --------------------------------------------------- */
/* Each runs the opcode if its file has it. *known: it has. */
peft_status pf_ops_values(pf_machine *m, uint8_t opcode, bool *known);
peft_status pf_ops_containers(pf_machine *m, uint8_t opcode, bool *known);
peft_status pf_ops_objects(pf_machine *m, uint8_t opcode, bool *known);
/* Appends to a list or dictionary an item that value.h says is kept; only counts any other. key: NULL for a list. */
peft_status pf_items_add(pf_machine *m, pf_items *items, bool list, const pf_pyvalue *key, const pf_pyvalue *value);

/* --- rebuild.c ---------------------------------------------------------------------------------------------------- */
/* The storage that a persistent id names; another id gives an opaque value. */
peft_status pf_rebuild_storage(pf_machine *m, const pf_pyvalue *id, pf_pyvalue *out);
/* The tensor that torch._utils._rebuild_tensor_v2 (v3: _v3) would make of these arguments. */
peft_status pf_rebuild_tensor(pf_machine *m, const pf_tuple *arguments, bool v3, pf_pyvalue *out);
#endif
