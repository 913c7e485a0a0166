/* SPDX-License-Identifier: Apache-2.0
 * names.h -- recognises the naming of a checkpoint's tensors, and translates their names to timm's and back. Loading,
 * saving and peft_file_kind use it. */
#ifndef PF_NAMES_H
#define PF_NAMES_H
#include "core/arch/arch.h"
#include "core/format/safetensors.h"

/* A ViT found in a file: its naming and the prefix of its names ("module.backbone."). whole: the file has its patch
 * embedding as well as blocks. */
typedef struct pf_detected { const pf_naming *naming; char prefix[PF_NAME_MAX]; bool whole; } pf_detected;
enum { PF_DETECTED_MAX = 16 };
/* Writes to found the whole ViTs with this prefix (NULL: with any prefix, but without the student beside a teacher). If
 * the file has no whole ViT, writes one that is not whole. Returns their number. */
size_t pf_naming_detect(pf_families families, const pf_st *file, const char *prefix,
                        pf_detected found[PF_DETECTED_MAX]);
/* The family of a file with this naming (families.def says how it is chosen); NULL: none. */
const pf_family *pf_family_of(pf_families families, const pf_naming *n, const pf_st *file);
/* Words for a part of the file's network that this library does not compute, "relative position bias (BEiT, Swin)";
 * NULL: no such part is known. *cure: what the user can do, or "". */
const char *pf_naming_refused(const pf_st *file, const char **cure);
/* true: pattern matches the whole name. # matches a number, @ weight or bias. */
bool pf_name_matches(const char *pattern, const char *name);

/* OURS: a tensor of the ViT, whose timm name is name. part: as in pf_name_row, PF_WHOLE_TENSOR for one that is all of
 * timm's. IGNORED: a known tensor that the ViT does not use (decoders, text towers, projection heads). */
typedef enum { PF_NAME_UNKNOWN, PF_NAME_OURS, PF_NAME_IGNORED } pf_name_kind;
typedef struct pf_timm_name { pf_name_kind kind; char name[PF_NAME_MAX]; int part; } pf_timm_name;
/* Does the name, without the ViT's prefix, begin as the names of tensors in blocks do? */
bool         pf_naming_in_block(const pf_naming *n, const char *name);
/* How many parts timm's tensor has in a library that stores it in parts: 3 for q, k, v; 2 for all others (pf_name_row:
 * a gated MLP, k and v of attention pooling). */
int          pf_name_parts(const char *timm);
/* timm's name for the file's tensor `name`; prefix: that of the ViT's names in the file. */
pf_timm_name pf_naming_to_timm(pf_families families, const pf_naming *n, const char *prefix, const char *name);
/* The reverse: writes the name in naming n, without a prefix, of timm's tensor of a network of shape s (part
 * PF_WHOLE_TENSOR) or of its part 1, 2, 3 (q, k, v). Returns its row; NULL: the naming has no such name. */
const pf_name_row *pf_naming_from_timm(pf_families families, const pf_naming *n, const pf_vit_shape *s,
                                       const char *timm, int part, char out[PF_NAME_MAX]);
/* Writes the pattern by which a naming is recognised, "blocks.#.attn.qkv.weight", for n->front[0] or n->front[1];
 * false: the naming has no such front. */
bool pf_naming_attention(const pf_naming *n, int front, char out[PF_NAME_MAX]);
void pf_naming_patch(const pf_naming *n, char out[PF_NAME_MAX]);   /* writes the name of the patch embedding's weight */
#endif
