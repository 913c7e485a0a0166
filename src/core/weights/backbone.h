/* SPDX-License-Identifier: Apache-2.0
 * backbone.h -- the backbone inside: shape, tensors under their timm names, the file they are mapped from. */
#ifndef PF_BACKBONE_H
#define PF_BACKBONE_H
#include <peft/backbone.h>
#include <pthread.h>
#include "core/format/safetensors.h"
#include "core/options/options.h"
#include "core/arch/names.h"
#include "core/describe/prep.h"

/* A tensor under its timm name. Dense pk_real, but for matrices named .weight, which may be f16 or bf16: read them by
 * core/bits/weight_reader.h. */
typedef struct pf_weight { char name[PF_NAME_MAX]; peft_tensor tensor; } pf_weight;

/* What peft_backbone_note knows. */
enum { PF_NOTES = 6, PF_NOTE_LINK = 5, PF_NOTE_MAX = 104, PF_ASSUMED_MAX = 512 };
extern const char *const pf_note_name[PF_NOTES];

struct peft_backbone {
    atomic_int refs;
    peft_context *ctx;
    pf_st *file;                         /* tensors may point into it; NULL: all are owned */
    pf_vit_shape shape;
    char note[PF_NOTES][PF_NOTE_MAX];    /* by pf_note_name; "" where not known */
    char assumed[PF_ASSUMED_MAX];        /* the note "assumed" */
    char preprocess[PF_PREP_MAX];        /* the note "preprocess", for this side of the images */
    char *class_names;                   /* the note "class_names", as many lines as classes; NULL: not known */
    char resample[16];                   /* the rule its position embedding came by, "" when as in the file */
    char rule[16];                       /* the rule for its positions at another size; "": not known */
    pf_weight *weight; size_t weights;
    peft_tensor native_pos;              /* pos_embed before resampling, for the fingerprint; no data when the same */
    pthread_mutex_t lock;                /* guards the two digests */
    char fingerprint[65], effective[65];
};

peft_backbone *pf_backbone_retain(peft_backbone *b);
const peft_tensor *pf_backbone_find(const peft_backbone *b, const char *name);         /* NULL: no such tensor */
bool pf_is_classifier(const char *name);                                               /* head.* */
/* SHA-256 over the classifier's tensors, which the fingerprint leaves out, as 64 hex digits. */
void pf_classifier_digest(const peft_backbone *b, char hex[65]);
/* The fingerprint over the position embedding after resampling, which peft_backbone_fingerprint takes before it. A file
 * into which b is saved has it as its fingerprint. */
const char *pf_backbone_effective(peft_backbone *b);
bool pf_is_float(peft_dtype type);                                                     /* what a file's weights may be */

/* A backbone of this shape with room for its tensors, none filled. */
peft_status pf_backbone_alloc(peft_context *ctx, const pf_vit_shape *shape, peft_backbone **out);
/* Owned memory for weight i; NULL with the message set. */
void *pf_backbone_own(peft_backbone *b, size_t i);
/* Takes over what the file tells of pictures and classes; text of either may be NULL: not known. */
peft_status pf_backbone_describe(peft_backbone *b, const char *preprocess, const char *class_names);
extern const pf_opt pf_backbone_load_options[], pf_backbone_create_options[];
peft_status pf_shape_check(const pf_vit_shape *s);
peft_status pf_backbone_finite(const peft_backbone *b);      /* finite.c: PEFT_E_NONFINITE names the tensor */
#endif
