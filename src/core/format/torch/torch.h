/* SPDX-License-Identifier: Apache-2.0
 * torch.h -- opens files of torch.save (.pth, .pt, .bin, ..): a zip archive with data.pkl, since PyTorch 1.6, or a
 * sequence of pickles with raw storages. Nothing in the file is executed (machine.h). Tensors in nested dictionaries
 * and lists get the path to them as their name, joined by dots: "model.blocks.0.norm1.weight". Their data stays in the
 * file; tensors that are not row-major are copied when they are used (pf_st_fetch). */
#ifndef PF_TORCH_H
#define PF_TORCH_H
#include "core/format/torch/machine.h"

/* Whether the file begins as a zip archive or a pickle does, and not as a safetensors file. */
bool        pf_torch_recognise(const void *data, size_t size);
/* The result owns map (NULL: none), also on an error, and borrows data. PEFT_E_FORMAT, PEFT_E_UNSUPPORTED: the file is
 * damaged, or was written by something else than torch.save of tensors. */
peft_status pf_torch_open(peft_context *ctx, pf_map *map, const void *data, size_t size, pf_st **out);

/* --- torch_zip.c, torch_legacy.c: the two forms ------------------------------------------------------------------- */
/* The data of a storage in the file. key is not terminated by 0. */
typedef struct pf_torch_blob { const char *key; size_t key_length; const uint8_t *data; uint64_t bytes; } pf_torch_blob;
/* A file being read: the value that was saved, and the data of its storages, sorted by key. */
typedef struct pf_torch_file {
    const uint8_t *data; size_t size;
    pf_machine machine;                        /* whose arena has all memory of this struct */
    pf_pyvalue value;
    pf_torch_blob *blob; size_t blobs;
} pf_torch_file;
peft_status pf_torch_read_zip(peft_context *ctx, pf_torch_file *f);
peft_status pf_torch_read_legacy(peft_context *ctx, pf_torch_file *f);
/* The order of two keys, for qsort: below 0, 0 or above 0. */
int         pf_torch_compare_keys(const char *a, size_t a_length, const char *b, size_t b_length);

/* --- walk.c ------------------------------------------------------------------------------------------------------- */
/* A tensor that was found: its name, of which the first `dictionary` bytes are the path of its dictionary. */
typedef struct pf_leaf { struct pf_leaf *next; const pf_view *view; size_t dictionary; char name[]; } pf_leaf;
/* All tensors of a value. object: the class of the first object of unknown class that was met, at object_path; NULL:
 * there was none. */
typedef struct pf_leaves {
    pf_leaf *first, *last;
    size_t count, text;                        /* text: bytes of all names with their final 0 */
    const pf_global *object;
    char object_path[80];
} pf_leaves;
peft_status pf_torch_walk(pf_arena *arena, const pf_pyvalue *value, pf_leaves *out);
#endif
