/* SPDX-License-Identifier: Apache-2.0
 * files.h -- opens the weights of a model, whatever their format: a safetensors file, a file of torch.save, the index
 * of a model in several such files (shards), or a folder with one of these under its usual name. */
#ifndef PF_WEIGHTS_FILES_H
#define PF_WEIGHTS_FILES_H
#include "core/format/safetensors.h"

/* The path of the weights file: path itself, or if it is a folder, the file in it with a usual name. The caller frees
 * *file with pf_free. */
peft_status pf_weights_find(peft_context *ctx, const char *path, char **file);
/* Opens a file, which is mapped, or the shards that an index lists. Errors begin with the path. */
peft_status pf_weights_open(peft_context *ctx, const char *file, pf_st **out);
/* The same to read names, types and shapes only, not the data. */
peft_status pf_weights_open_header(peft_context *ctx, const char *file, pf_st **out);
peft_status pf_weights_open_memory(peft_context *ctx, const void *data, size_t size, pf_st **out);  /* borrows data */

/* --- shards.c ----------------------------------------------------------------------------------------------------- */
/* Whether path ends in .index.json, as the index of shards does. */
bool        pf_weights_is_index(const char *path);
/* Opens all shards of an index by `open`, as one file with the tensors of all. */
peft_status pf_shards_open(peft_context *ctx, const char *index,
                           peft_status (*open)(peft_context *ctx, const char *file, pf_st **out), pf_st **out);
/* Whether path ends as that of a shard does: "-00001-of-00002.safetensors"; sets *k and *n to the two numbers. */
bool        pf_weights_is_shard(const char *path, unsigned *k, unsigned *n);
#endif
