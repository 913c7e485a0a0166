/* SPDX-License-Identifier: Apache-2.0
 * state.h -- parameters in and out of safetensors files, strictly: every expected tensor once, nothing else. */
#ifndef PF_STATE_H
#define PF_STATE_H
#include "core/bits/finite.h"
#include "core/adapt/adapter.h"

/* Tensors "<prefix><name>"; PEFT_E_NONFINITE when a value is NaN or Inf. */
peft_status pf_state_write(pf_st_out *o, const char *prefix, const pf_params *list);
/* The reverse. PEFT_E_FORMAT: missing, or of other extents; PEFT_E_NONFINITE as above. */
peft_status pf_state_read(const pf_st *st, const char *prefix, const pf_params *list);
/* PEFT_E_FORMAT names the first tensor of the file for which known(user, name) is false. */
peft_status pf_state_only(const pf_st *st, bool (*known)(const void *user, const char *name), const void *user);
#endif
