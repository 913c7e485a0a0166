/* SPDX-License-Identifier: Apache-2.0
 * names.h -- the names that other libraries give to the tensors of a ViT, and what timm calls them. */
#ifndef PF_NAMES_H
#define PF_NAMES_H
#include "core/format/safetensors.h"
#include "core/vit/shape.h"

typedef enum { PF_NAMING_TIMM, PF_NAMING_HF, PF_NAMING_HF5, PF_NAMING_HF_CLIP, PF_NAMING_CLIP, PF_NAMING_TORCHVISION,
               PF_NAMING_MMCLS, PF_NAMINGS } pf_naming;
extern const char *const pf_naming_name[PF_NAMINGS];

/* A ViT in a file: its naming and what stands in front of its names ("module.backbone."); whole: with its patch
 * embedding. */
typedef struct pf_detected { pf_naming naming; char prefix[PF_NAME_MAX]; bool whole; } pf_detected;
enum { PF_DETECTED_MAX = 16 };
/* The whole ViTs behind this prefix (NULL: any, but for a student beside its teacher), or else one that is not whole.
 * Returns how many. */
size_t pf_naming_detect(const pf_st *file, const char *prefix, pf_detected found[PF_DETECTED_MAX]);
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
pf_timm_name pf_naming_translate(pf_naming naming, const char *prefix, const char *name);
/* The way back: what naming calls timm's tensor of a network of shape s, or part 1, 2, 3 (q, k, v) of it, without a
 * prefix. false: it has no such name. */
bool pf_naming_theirs(pf_naming naming, const pf_vit_shape *s, const char *timm, int part, char out[PF_NAME_MAX]);
#endif
