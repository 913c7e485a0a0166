/* SPDX-License-Identifier: Apache-2.0
 * folder.h -- a folder with a safetensors file and the JSON that says what it means, as Hugging Face's libraries keep
 * them. Two files cannot be replaced in one step: both are written beside the old ones, then a configuration that says
 * something else is removed, the tensors are renamed, and the configuration comes last. Whoever finds one finds the
 * tensors that belong to it. */
#ifndef PF_FOLDER_H
#define PF_FOLDER_H
#include "core/format/safetensors.h"

/* dir/name in new memory; NULL: no memory, message set. */
char *pf_path_join(peft_context *ctx, const char *dir, const char *name);
/* Makes dir when it is missing; o becomes dir/tensors, text dir/config. */
peft_status pf_folder_write(peft_context *ctx, const char *dir, const char *tensors, pf_st_out *o, const char *config,
                            const char *text);
#endif
