/* SPDX-License-Identifier: Apache-2.0
 * meta.h -- a file's metadata entries as numbers and texts, and options as the text of an entry. */
#ifndef PF_META_H
#define PF_META_H
#include "core/format/safetensors.h"
#include "core/options/options.h"

/* Options as text that peft_options_parse reads back: key="value",... The text is the caller's (pf_free). */
peft_status pf_options_write(peft_context *ctx, const peft_options *o, char **text);
peft_status pf_meta_number(pf_st_out *o, const char *key, int64_t value);
/* The entry, or PEFT_E_FORMAT naming the key. */
peft_status pf_meta_text(const pf_st *st, const char *key, const char **out);
peft_status pf_meta_int(const pf_st *st, const char *key, int64_t *out);
#endif
