/* SPDX-License-Identifier: Apache-2.0
 * meta.h -- metadata entries of safetensors files: reads and writes numbers and texts, and prints options as an
 * entry. */
#ifndef PF_META_H
#define PF_META_H
#include "core/format/safetensors.h"
#include "core/options/options.h"

/* Prints options as name="value",name="value", which peft_options_parse reads. The caller frees *text with pf_free. */
peft_status pf_options_print(peft_context *ctx, const peft_options *o, char **text);
/* Adds an integer as an entry of o. */
peft_status pf_meta_add_int(pf_st_out *o, const char *key, int64_t value);
/* Read an entry, as text or integer. PEFT_E_FORMAT names the key of an entry that is missing or no integer. */
peft_status pf_meta_read_text(const pf_st *st, const char *key, const char **out);
peft_status pf_meta_read_int(const pf_st *st, const char *key, int64_t *out);
#endif
