/* SPDX-License-Identifier: Apache-2.0
 * folder.h -- writes folders with a safetensors file and its JSON configuration, as Hugging Face's libraries use them.
 * Two files cannot be replaced atomically, so: both are written beside the old ones; an old configuration that differs
 * is removed; the new tensors are renamed over the old ones; then the new configuration over the old one. A
 * configuration that a reader finds always belongs to the tensors. */
#ifndef PF_FOLDER_H
#define PF_FOLDER_H
#include "core/format/safetensors.h"

/* Returns dir/name, which the caller frees with pf_free; NULL: no memory, message set. */
char *pf_path_join(peft_context *ctx, const char *dir, const char *name);
/* Writes the tensors of o to the file dir/tensors_name, and config_text to the file dir/config_name. Makes dir if it is
 * missing. */
peft_status pf_folder_write(peft_context *ctx, const char *dir, const char *tensors_name, pf_st_out *o,
                            const char *config_name, const char *config_text);
#endif
