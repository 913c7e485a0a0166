/* SPDX-License-Identifier: Apache-2.0
 * st_table.h -- the struct behind pf_st, the table of the tensors of an open file, and what its readers fill it with:
 * safetensors_read.c, core/format/torch, and core/weights/files for models in several files. */
#ifndef PF_ST_TABLE_H
#define PF_ST_TABLE_H
#include "core/format/safetensors_header.h"

typedef struct pf_st_pair { const char *key, *value; } pf_st_pair;     /* an entry of the metadata */
typedef struct pf_st_copy { struct pf_st_copy *next; } pf_st_copy;     /* a block that pf_st_fetch made */

struct pf_st {
    peft_context *ctx;
    pf_map *map;                               /* NULL: data is in the caller's memory, or in the files of part */
    pf_st **part;                              /* [parts]: the files of a model in several files, which this owns */
    size_t parts;
    pf_st_tensor *tensor;                      /* [count], in the order of their data */
    const pf_st_tensor **by_name;              /* [count], sorted by name */
    pf_st_pair *meta;                          /* [meta_count], in the order of the header */
    const pf_st_pair **by_key;                 /* [meta_count], sorted by key */
    size_t count, meta_count;
    char *text;                                /* the bytes of all names, keys and values */
    int64_t *numbers;                          /* the strides of tensors; NULL: all are contiguous */
    pf_st_copy *copies;                        /* of tensors that are not contiguous, in a list */
    size_t copies_left;                        /* bytes of copies that may still be made */
};

/* Makes an empty table, which owns map (NULL: none), also on an error. */
peft_status pf_st_create(peft_context *ctx, pf_map *map, pf_st **out);
/* Allocate tensor and by_name for st->count tensors, meta and by_key for st->meta_count entries, and text for the bytes
 * of all texts. The counts are at most those of safetensors_header.h, so that no product overflows. */
peft_status pf_st_allocate(pf_st *st, size_t text);
/* Sorts the tensors by the place of their data. */
void        pf_st_sort_by_place(pf_st *st);
/* Fills and sorts by_name and by_key. PEFT_E_FORMAT: two tensors have the same name. */
peft_status pf_st_index(pf_st *st);
/* Copies s to *next, in st->text, and moves *next behind the copy. */
const char *pf_st_copy_text(char **next, const char *s);
#endif
