/* SPDX-License-Identifier: Apache-2.0
 * state.h -- tensors in safetensors files: lists of parameters, for adapter and model files, and restoring the state of
 * a trainer or adaptor. Reading is strict: every tensor that is expected must be there, and no other. */
#ifndef PF_STATE_H
#define PF_STATE_H
#include "core/bits/finite.h"
#include "core/adapt/adapter.h"

/* Adds the tensors of list to o, as "<prefix><name>". PEFT_E_NONFINITE: a value is NaN or Inf. */
peft_status pf_state_write(pf_st_out *o, const char *prefix, const pf_params *list);
/* Reads the tensors "<prefix><name>" of the file into list. PEFT_E_FORMAT: a tensor is missing or has other extents;
 * PEFT_E_NONFINITE: a value is NaN or Inf. */
peft_status pf_state_read(const pf_st *st, const char *prefix, const pf_params *list);
/* Checks that known(object, name) is true for every tensor of the file. PEFT_E_FORMAT names the first tensor for which
 * it is false. */
peft_status pf_state_refuse_others(const pf_st *st, bool (*known)(const void *object, const char *name),
                                   const void *object);

/* Restores a state. Its owner visits all of its tensors twice: first they are checked (copy false), and only then
 * copied, so that a file that does not fit changes nothing. */
typedef struct pf_restorer {
    const pf_st *st;
    const char *owner;                   /* for messages: "this adaptor" */
    bool copy;
    size_t found;                        /* tensors that were visited so far */
} pf_restorer;
/* Visits the tensor `name`: copies it to data if r->copy. *stored: its elements in the file. PEFT_E_FORMAT: it is
 * missing; PEFT_E_MISMATCH: it has another type or other extents. */
peft_status pf_restore_tensor(pf_restorer *r, const char *name, peft_dtype type, int ndim, const int64_t *dims,
                              void *data, const void **stored);
/* PEFT_E_FORMAT: the file has tensors that were not visited. */
peft_status pf_restore_found_all(const pf_restorer *r);
#endif
