/* SPDX-License-Identifier: Apache-2.0
 * int8_file.h -- files of backbones whose matrices of the blocks are stored as int8 (docs/backbones.md, "int8"): what
 * their header states, and how a matrix lies in them. Loading and saving use it. */
#ifndef PF_INT8_FILE_H
#define PF_INT8_FILE_H
#include "core/weights/backbone.h"

/* What the header states. int8 false: the file has no matrices stored as int8, and the rest is 0. */
typedef struct pf_int8_header {
    bool int8;
    int64_t mlp;                         /* pf_vit_shape.mlp, the columns of fc2: the file has them in whole blocks */
    char source[65];                     /* fingerprint of the backbone whose values were rounded, as hex digits */
    char content[65];                    /* pf_backbone_content of the file */
} pf_int8_header;

/* Reads the header. PEFT_E_FORMAT names an entry that is missing or wrong; PEFT_E_UNSUPPORTED: another storage, or
 * another version of it. */
peft_status pf_int8_read_header(const pf_st *file, pf_int8_header *h);
/* Adds the entries of h to a file that is written. */
peft_status pf_int8_write_header(const pf_int8_header *h, pf_st_out *o);
/* Does this tensor of the file hold the scales of another one, of type I8? */
bool        pf_int8_is_scale(const pf_st *file, const pf_st_tensor *t);
/* Fills weight i of b, a matrix, by its parts in b->file, stacked. A single part stays in the file without a copy.
 * PEFT_E_FORMAT, PEFT_E_DTYPE: type, extents or scales of a part are wrong. */
peft_status pf_int8_fill(peft_backbone *b, size_t i, const pf_st_tensor *const *part, int parts);
/* Adds t, a matrix that is stored as int8, and its scales to a file. Data is borrowed until the file is written. */
peft_status pf_int8_add(pf_st_out *o, const char *name, const peft_tensor *t);
#endif
