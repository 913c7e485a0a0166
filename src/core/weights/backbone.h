/* SPDX-License-Identifier: Apache-2.0
 * backbone.h -- struct peft_backbone: shape, tensors under timm's names, the mapped file that they lie in. Loading,
 * saving, models, adapters and stores read it. */
#ifndef PF_BACKBONE_H
#define PF_BACKBONE_H
#include <peft/backbone.h>
#include <pthread.h>
#include "core/format/safetensors.h"
#include "core/options/options.h"
#include "core/arch/names.h"
#include "core/describe/prep.h"

/* A tensor under timm's name, dense. Elements are pk_real; matrices named .weight may be f16, bf16 or stored as int8,
 * and are read by core/bits/weight_reader.h. source: of one that is stored as int8, the tensors of the file that hold
 * its original values, one behind the other. */
typedef struct pf_weight {
    char name[PF_NAME_MAX];
    peft_tensor tensor;
    const pf_st_tensor *source[3]; int sources;
} pf_weight;

/* The notes with short texts, in the order of pf_note_name; peft_backbone_note reads them by name. LINK: the function
 * that turns the classifier's logits into probabilities, "softmax" or "sigmoid". */
enum { PF_NOTE_MEAN, PF_NOTE_STD, PF_NOTE_IMAGE_SIZE, PF_NOTE_CROP_PCT, PF_NOTE_INTERPOLATION, PF_NOTE_LINK, PF_NOTES };
enum { PF_NOTE_MAX = 104, PF_ASSUMED_MAX = 512, PF_MODEL_TYPE_MAX = 32 };    /* bytes */
enum { PF_SETTINGS_MAX = 384 };
extern const char *const pf_note_name[PF_NOTES];

/* Key of a file's header: "Eva" if LayerScale has the names of timm's class Eva (PF_TIMM_GAMMA). */
#define PF_TIMM_CLASS_KEY "timm_class"

/* Statistics of the features of training images (peft_adaptor_store_source), of each block and channel:
 * [depth, width]. images 0: none. model_checksum: in a model, pf_model_checksum at the time when its features were
 * measured, which tells whether it was trained since; in a backbone 0. */
typedef struct pf_source_statistics {
    int64_t images, depth, width;
    uint64_t model_checksum;
    double *mean, *deviation;            /* one block of memory */
} pf_source_statistics;
enum { PF_SOURCE_CLASS_TOKEN, PF_SOURCE_ALL_TOKENS, PF_SOURCES };          /* index: the tokens that were measured */

struct peft_backbone {
    atomic_int refs;
    peft_context *ctx;
    pf_st *file;                         /* tensors may point into it; NULL: all are owned */
    bool int8;                           /* the matrices of the blocks are stored as int8 */
    pf_vit_shape shape;
    char note[PF_NOTES][PF_NOTE_MAX];    /* in the order of pf_note_name; "": unknown */
    char assumed[PF_ASSUMED_MAX];        /* the note "assumed" */
    char settings[PF_SETTINGS_MAX], parts[PF_SETTINGS_MAX];                /* the notes of these names */
    char options[PF_SETTINGS_MAX];       /* options of loading that stated settings, "heads=6,act=silu"; "": none */
    char preprocess[PF_PREP_MAX];        /* the note "preprocess", for images of shape.image pixels a side */
    char *class_names;                   /* the note "class_names", one line a class; NULL: unknown */
    char resample[16];                   /* rule by which pos_embed was resampled (pos_embed.h); "": it was not */
    unsigned timm_form;                  /* PF_TIMM_* of the file; 0: it had other names, or none */
    char model_type[PF_MODEL_TYPE_MAX];  /* pf_hf_model.type of the file's model, which saving prefers; "": none */
    const pf_naming *naming;             /* of the file that it was loaded from; NULL: of none */
    char rule[16];                       /* rule for resampling pos_embed to another image size; "": unknown */
    pf_weight *weight; size_t weights;   /* the tensors, and their number */
    pf_source_statistics source[PF_SOURCES];     /* of a merged backbone; files of backbones do not have them */
    pk_real *rope;                       /* the tables of rotary positions (pf_rope_fill); NULL: none */
    peft_tensor native_pos;              /* pos_embed before resampling, for the fingerprint; NULL data: none */
    pthread_mutex_t lock;                /* guards the two digests, which are computed when first asked for */
    char fingerprint[65];                /* peft_backbone_fingerprint, as hex digits; "": not computed yet */
    char effective[65];                  /* pf_backbone_effective, as hex digits; "": not computed yet */
    char stated[65], content[65];        /* of a file whose matrices are stored as int8 (int8_file.h): the fingerprint
                                            of what was rounded, and pf_backbone_content of the file; "": another */
};

peft_backbone *pf_backbone_retain(peft_backbone *b);
const peft_tensor *pf_backbone_find(const peft_backbone *b, const char *name);         /* NULL: no such tensor */
const char *pf_weight_name(const peft_tensor *t);                                      /* of one of its tensors */
bool pf_is_classifier(const char *name);                                               /* name begins with "head." */
/* SHA-256 over the classifier's tensors, which the fingerprint leaves out, as 64 hex digits. */
void pf_classifier_digest(const peft_backbone *b, char hex[65]);
/* The fingerprint with the position embedding as it is after resampling; peft_backbone_fingerprint takes it as it was
 * in the file. A file that b is saved to has the fingerprint returned here. */
const char *pf_backbone_effective(peft_backbone *b);
/* The same digest over what is in memory, also where that is stored as int8: over the bytes and scales. */
void pf_backbone_content(const peft_backbone *b, char hex[65]);
bool pf_is_float(peft_dtype type);                                     /* true: a file's weights may have this type */

/* Makes a backbone of this shape. Its tensors have names and extents, but no data. */
peft_status pf_backbone_alloc(peft_context *ctx, const pf_vit_shape *shape, peft_backbone **out);
/* Allocates memory for the values of weight i, which b then owns, and returns it; NULL: no memory, the error is set. */
void *pf_backbone_alloc_data(peft_backbone *b, size_t i);
/* --- int8.c --- */
bool        pf_is_int8_matrix(const char *name);                       /* of a block; weights=int8 is for these */
/* Replaces the values of weight i, a matrix, by int8. PEFT_E_NONFINITE: it holds NaN or Inf. */
peft_status pf_backbone_store_int8(peft_backbone *b, size_t i);
peft_status pf_nonfinite_weight(const char *name);                     /* the error for a weight with NaN or Inf */
/* Computes b->rope; to be called when all tensors have their values. */
peft_status pf_backbone_make_rope(peft_backbone *b);
/* Sets the notes "preprocess" and "class_names"; NULL: unknown, the note stays as it is. */
peft_status pf_backbone_describe(peft_backbone *b, const char *preprocess, const char *class_names);
/* --- settings.c --- */
/* Write the notes "settings" and "parts". */
void pf_backbone_settings(const pf_vit_shape *s, char out[PF_SETTINGS_MAX]);
void pf_backbone_parts(const pf_vit_shape *s, char out[PF_SETTINGS_MAX]);
/* --- source_statistics.c --- */
peft_status pf_source_make(pf_source_statistics *s, peft_context *ctx, int64_t depth, int64_t width);
peft_status pf_source_copy(pf_source_statistics *s, peft_context *ctx, const pf_source_statistics *from);
void        pf_source_free(pf_source_statistics *s, peft_context *ctx);
bool        pf_source_any(const pf_source_statistics s[PF_SOURCES]);   /* Are there some? */
extern const pf_opt pf_backbone_load_options[], pf_backbone_create_options[];
/* PEFT_E_INVALID, PEFT_E_OPTION: a size is out of its bounds or does not divide another; the message names it. */
peft_status pf_shape_check(const pf_vit_shape *s);
/* PEFT_E_OPTION: a head cannot read this feature of the network, which lacks the tensors for it. */
peft_status pf_shape_check_pool(const pf_vit_shape *s, pf_feature pool);
peft_status pf_backbone_check_finite(const peft_backbone *b);  /* finite.c: PEFT_E_NONFINITE, which names the tensor */
#endif
