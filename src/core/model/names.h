/* SPDX-License-Identifier: Apache-2.0
 * names.h -- the names that other libraries give to the tensors of a ViT, and what timm calls them. */
#ifndef PF_NAMES_H
#define PF_NAMES_H
#include "core/base/safetensors.h"
#include "core/model/shape.h"

typedef enum { PF_NAMING_TIMM, PF_NAMING_HF, PF_NAMING_HF5, PF_NAMING_HF_CLIP, PF_NAMING_CLIP, PF_NAMING_TORCHVISION,
               PF_NAMING_MMCLS, PF_NAMINGS } pf_naming;
extern const char *const pf_naming_name[PF_NAMINGS];

/* The naming of a file's ViT and what stands in front of its names ("module.backbone."). Of several the one with a
 * patch embedding, and the teacher before the student. */
bool pf_naming_detect(const pf_st *file, pf_naming *naming, char prefix[PF_NAME_MAX]);
/* What a file holds that is known and cannot be run, as in "relative position bias (BEiT, Swin)"; NULL: nothing. */
const char *pf_naming_refused(const pf_st *file);

/* OURS: timm calls it name; where q, k and v are tensors of their own, they are part 1, 2 and 3 of it (else 0).
 * IGNORED: belongs to such files and to nothing we run (decoders, text towers, projection heads). */
typedef enum { PF_NAME_UNKNOWN, PF_NAME_OURS, PF_NAME_IGNORED } pf_name_kind;
typedef struct pf_timm_name { pf_name_kind kind; char name[PF_NAME_MAX]; int part; } pf_timm_name;
pf_timm_name pf_naming_translate(pf_naming naming, const char *prefix, const char *name);
/* The way back: what naming calls timm's tensor of a network of shape s, or part 1, 2, 3 (q, k, v) of it, without a
 * prefix. false: it has no such name. */
bool pf_naming_theirs(pf_naming naming, const pf_vit_shape *s, const char *timm, int part, char out[PF_NAME_MAX]);
#endif
