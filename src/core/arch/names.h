/* SPDX-License-Identifier: Apache-2.0
 * names.h -- the names in a file by the table of families: which naming they are, and what timm calls them. */
#ifndef PF_NAMES_H
#define PF_NAMES_H
#include "core/arch/arch.h"
#include "core/format/safetensors.h"

/* A ViT found in a file: its naming and what stands in front of its names ("module.backbone."). whole: the file has its
 * patch embedding too, not blocks alone. */
typedef struct pf_detected { const pf_naming *naming; char prefix[PF_NAME_MAX]; bool whole; } pf_detected;
enum { PF_DETECTED_MAX = 16 };
/* Writes the whole ViTs with this prefix (NULL: with any, but not a student beside its teacher) to found; where there
 * is none, one that is not whole. Returns how many. */
size_t pf_naming_detect(pf_families families, const pf_st *file, const char *prefix,
                        pf_detected found[PF_DETECTED_MAX]);
/* The family of a file with this naming: see families.def; NULL: none. */
const pf_family *pf_family_of(pf_families families, const pf_naming *n, const pf_st *file);
/* A part of the file's network that this library does not compute: "relative position bias (BEiT, Swin)"; NULL: none
 * that is known. */
const char *pf_naming_refused(const pf_st *file);
/* Does pattern match all of name? # in it stands for a number, @ for weight or bias. */
bool pf_name_is(const char *pattern, const char *name);

/* OURS: a tensor of the ViT, which timm calls name. part: 1, 2, 3 where q, k and v are tensors of their own, 1 and 2
 * for gate and value of a gated MLP, else 0. IGNORED: a tensor that is known and that the ViT does not use (decoders,
 * text towers, projection heads). */
typedef enum { PF_NAME_UNKNOWN, PF_NAME_OURS, PF_NAME_IGNORED } pf_name_kind;
typedef struct pf_timm_name { pf_name_kind kind; char name[PF_NAME_MAX]; int part; } pf_timm_name;
int          pf_name_parts(const char *timm);      /* the most parts that other libraries split the tensor into */
/* timm's name for the file's tensor `name`; prefix: what stands in front of the ViT's names in the file. */
pf_timm_name pf_naming_translate(pf_families families, const pf_naming *n, const char *prefix, const char *name);
/* The reverse: writes the naming's name for timm's tensor of a network of shape s, or for part 1, 2, 3 (q, k, v) of it,
 * without a prefix. false: the naming has none. */
bool pf_naming_theirs(pf_families families, const pf_naming *n, const pf_vit_shape *s, const char *timm, int part,
                      char out[PF_NAME_MAX]);
/* Writes the pattern by which a naming is recognised, "blocks.#.attn.qkv.weight", for front 0 or 1; false: the naming
 * has no such front. */
bool pf_naming_attention(const pf_naming *n, int front, char out[PF_NAME_MAX]);
void pf_naming_patch(const pf_naming *n, char out[PF_NAME_MAX]);        /* writes the patch embedding's weight's name */
#endif
