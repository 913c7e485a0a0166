/* SPDX-License-Identifier: Apache-2.0
 * meta.h -- metadata entries of safetensors files: reads and writes numbers and texts, and prints options as an
 * entry. */
#ifndef PF_META_H
#define PF_META_H
#include "core/format/safetensors.h"
#include "core/options/options.h"

/* Prints options as name="value",... which peft_options_parse reads. The caller frees *text with pf_free. */
peft_status pf_options_write(peft_context *ctx, const peft_options *o, char **text);
/* Adds the entry to o. */
peft_status pf_meta_number(pf_st_out *o, const char *key, int64_t value);
/* Read an entry, as text or integer. PEFT_E_FORMAT names the key: it is missing, or no integer. */
peft_status pf_meta_text(const pf_st *st, const char *key, const char **out);
peft_status pf_meta_int(const pf_st *st, const char *key, int64_t *out);
#endif
