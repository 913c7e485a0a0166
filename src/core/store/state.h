/* SPDX-License-Identifier: Apache-2.0
 * state.h -- lists of parameters in safetensors files, for adapter, model and state files. Reading is strict: every
 * tensor that is expected must be there, and no other. */
#ifndef PF_STATE_H
#define PF_STATE_H
#include "core/bits/finite.h"
#include "core/adapt/adapter.h"

/* Adds the tensors of list to o, as "<prefix><name>". PEFT_E_NONFINITE: a value is NaN or Inf. */
peft_status pf_state_write(pf_st_out *o, const char *prefix, const pf_params *list);
/* Reads them into list. PEFT_E_FORMAT: a tensor is missing or has other extents; PEFT_E_NONFINITE as above. */
peft_status pf_state_read(const pf_st *st, const char *prefix, const pf_params *list);
/* Checks that known(user, name) is true for every tensor of the file; else PEFT_E_FORMAT names the first other one. */
peft_status pf_state_only(const pf_st *st, bool (*known)(const void *user, const char *name), const void *user);
#endif
