/* SPDX-License-Identifier: Apache-2.0
 * state.h -- lists of parameters in safetensors files, for adapter, model and state files. Reading is strict: every
 * tensor that is expected must be there, and no other. */
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
#endif
