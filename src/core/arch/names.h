/* SPDX-License-Identifier: Apache-2.0
 * names.h -- the names in a file by the table of families: which naming they are, and what timm calls them. */
#ifndef PF_NAMES_H
#define PF_NAMES_H
#include "core/arch/arch.h"
#include "core/format/safetensors.h"

/* A ViT in a file: its naming and what stands in front of its names ("module.backbone."); whole: with its patch
 * embedding. */
typedef struct pf_detected { const pf_naming *naming; char prefix[PF_NAME_MAX]; bool whole; } pf_detected;
enum { PF_DETECTED_MAX = 16 };
/* The whole ViTs behind this prefix (NULL: any, but for a student beside its teacher), or else one that is not whole.
 * Returns how many. */
size_t pf_naming_detect(pf_families families, const pf_st *file, const char *prefix,
                        pf_detected found[PF_DETECTED_MAX]);
/* The first family of the table with this naming that the file's names tell; NULL: none. */
const pf_family *pf_family_of(pf_families families, const pf_naming *n, const pf_st *file);
/* What a file holds that is known and cannot be run, as in "relative position bias (BEiT, Swin)"; NULL: nothing. */
const char *pf_naming_refused(const pf_st *file);
/* All of name follows pattern, in which # is a number and @ weight or bias. */
bool pf_name_is(const char *pattern, const char *name);

/* OURS: timm calls it name; where q, k and v are tensors of their own, they are part 1, 2 and 3 of it, gate and value of
 * a gated MLP part 1 and 2 (else 0).
 * IGNORED: belongs to such files and to nothing we run (decoders, text towers, projection heads). */
typedef enum { PF_NAME_UNKNOWN, PF_NAME_OURS, PF_NAME_IGNORED } pf_name_kind;
typedef struct pf_timm_name { pf_name_kind kind; char name[PF_NAME_MAX]; int part; } pf_timm_name;
int          pf_name_parts(const char *timm);                           /* most parts that timm's tensor comes in */
pf_timm_name pf_naming_translate(pf_families families, const pf_naming *n, const char *prefix, const char *name);
/* The way back: what the naming calls timm's tensor of a network of shape s, or part 1, 2, 3 (q, k, v) of it, without a
 * prefix. false: it has no such name. */
bool pf_naming_theirs(pf_families families, const pf_naming *n, const pf_vit_shape *s, const char *timm, int part,
                      char out[PF_NAME_MAX]);
/* The pattern of the names by which a naming is recognised, "blocks.#.attn.qkv.weight", for one of its fronts; false:
 * no such front. And the name of the patch embedding's weight. */
bool pf_naming_attention(const pf_naming *n, int front, char out[PF_NAME_MAX]);
void pf_naming_patch(const pf_naming *n, char out[PF_NAME_MAX]);
#endif
