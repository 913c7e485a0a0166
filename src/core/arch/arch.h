/* SPDX-License-Identifier: Apache-2.0
 * arch.h -- what makes one family of checkpoints differ from another, as constants. A new family is one file in
 * core/arch/family and one line of core/arch/families.def; loading, reading descriptions and saving follow its row. */
#ifndef PF_ARCH_H
#define PF_ARCH_H
#include "core/vit/shape.h"
#include "kernels/pk.h"

/* --- names -------------------------------------------------------------------------------------------------------- */
/* Networks for which alone a name is written: with LayerScale or without, and so on. All names are read. */
enum { PF_UNSCALED = 1, PF_SCALED = 2, PF_UNGATED = 4, PF_GATED = 8, PF_NO_REGISTERS = 16, PF_REGISTERS = 32,
       PF_READ = 64 };                   /* for none: the name is read only */
bool pf_shape_fits(const pf_vit_shape *s, unsigned only);

/* Their name and timm's. # is the number of the block and @ the word weight or bias. part: 1, 2, 3 for q, k, v as
 * tensors of their own, 1 and 2 for gate and value of a gated MLP; 0: the whole. Of several rows for one tensor the
 * first that fits the network is written. Norms of q and k and the projections of attention pooling will be rows. */
typedef struct pf_name_row { const char *theirs, *timm; int part; unsigned only; } pf_name_row;

/* How a library names tensors. Which naming a file has is told by its name of the first block's attention weight. */
typedef struct pf_naming {
    const char *name;                    /* a word of the option "naming" */
    struct { const char *pattern; unsigned only; } front[2];   /* of the names in blocks: "blocks.#."; NULL: no more */
    const char *inner;                   /* what may stand in front of the names outside the blocks alone; NULL */
    const pf_name_row *top, *block;      /* outside the blocks, and behind the front; the last row is empty */
    const char *silu;                    /* glob of a name that tells that gated MLPs have SiLU, where others may have
                                            another activation; NULL: all have it */
    const char *description, *behind;    /* a configuration file that is read in place of all others: always (behind is
                                            NULL), or where the prefix of the names holds behind; NULL: none */
    const char *dtype;                   /* the key of config.json for the element type; NULL: no config.json */
    bool written;                        /* backbones are saved so */
} pf_naming;

/* --- facts -------------------------------------------------------------------------------------------------------- */
/* Rows of the position embedding in front of the patches: one for the class token, or also none, or also one for each
 * token in front. Where it can have all of them (timm), a single row stays with the positions; in other files of
 * networks with registers it is added to the class token. Rotary positions will be a value of their own. */
enum { PF_ROWS_CLASS = 0, PF_ROWS_NONE = 1, PF_ROWS_ALL = 2 };

/* CLS: such code reads the class token alone. BY_NORM: the mean of the patches where there is fc_norm, else the class
 * token. ANY: the same norm stands behind either. Attention pooling will be a value. */
typedef enum pf_pooling { PF_POOL_CLS, PF_POOL_BY_NORM, PF_POOL_ANY } pf_pooling;

typedef struct pf_pixels { double mean[3], std[3]; } pf_pixels;         /* of samples divided by their largest value */
/* Of the pictures that ImageNet networks and CLIP were trained on, which several libraries have as defaults. */
#define PF_IMAGENET_MEAN { 0.485, 0.456, 0.406 }
#define PF_IMAGENET_STD  { 0.229, 0.224, 0.225 }
#define PF_CLIP_MEAN     { 0.48145466, 0.4578275, 0.40821073 }
#define PF_CLIP_STD      { 0.26862954, 0.26130258, 0.27577711 }
extern const pf_pixels pf_imagenet, pf_clip;

/* What the name of a network tells, timm's "architecture" or Hugging Face's "model_type"; every row of all families
 * that fits adds to it. The rule says that the network is known. */
typedef struct pf_arch_row {
    const char *glob;
    int64_t heads;                       /* 0: not told */
    double eps;                          /* 0: not told */
    const char *rule;                    /* of resampling positions (pos_embed.h); NULL: not told */
    const char *processor;               /* class of Hugging Face's image processor, without the word ImageProcessor */
    const char *refused;                 /* what it computes and this library does not */
    bool silu;                           /* its gated MLP has SiLU */
} pf_arch_row;

/* --- config.json -------------------------------------------------------------------------------------------------- */
/* What a network has that a model of Hugging Face may lack. */
enum { PF_HAS_FC_NORM = 1, PF_HAS_NORM_PRE = 2, PF_HAS_NO_NORM = 4, PF_HAS_NO_PATCH_BIAS = 8, PF_HAS_REGISTERS = 16,
       PF_HAS_GATED_MLP = 32, PF_HAS_NO_CLASS_ROW = 64, PF_HAS_CLASSIFIER = 128, PF_HAS_ODD_MLP = 256 };
typedef struct pf_lack { unsigned has; const char *what; } pf_lack;
typedef struct pf_field { const char *key, *json; } pf_field;
#define PF_HF_LACKS \
    { PF_HAS_FC_NORM, "the norm behind mean pooling (fc_norm)" }, { PF_HAS_NORM_PRE, "a norm before the blocks" }, \
    { PF_HAS_NO_NORM, "a network without a final norm" }, \
    { PF_HAS_NO_PATCH_BIAS, "a patch embedding without a bias" }

/* A model of Hugging Face as which a backbone is saved. */
typedef struct pf_hf_model {
    const char *type, *model, *classifier;     /* model_type; the architecture without and with a classifier, or NULL */
    unsigned only;                             /* networks that are saved as it */
    const pf_lack *lacks;                      /* in the order in which they are reported; the last row is empty */
    const pf_field *fields;              /* of config.json, the same for every network; NULL */
    bool by_ratio;                             /* the MLP's width stands as mlp_ratio and use_swiglu_ffn */
} pf_hf_model;

/* --- a family ----------------------------------------------------------------------------------------------------- */
/* Lists end with NULL or an empty row; NULL: an empty list. */
typedef struct pf_family {
    const char *name;
    const pf_naming *naming[2];          /* those that its files have; NULL: no more */
    const char *has[2];                  /* globs; a name that fits one tells the family among those of one naming;
                                            none: every file has it */
    /* Names beside those of the naming, read in all files of the naming. */
    const pf_name_row *top, *block;
    /* The following three are looked for in all files, as files of one library hold parts of another's. */
    const char *const *classifiers;      /* names of the classifier, in front of which may stand part of the prefix */
    const char *const *ignored;          /* globs of what features do not depend on, outside of blocks */
    const char *kept, *partner;          /* prefixes of two networks of one training: of the one used, of the other */
    /* What is usual where neither tensors nor descriptions tell. */
    double eps;
    int act;                             /* pk_act */
    const char *rule;                    /* of resampling positions (pos_embed.h) */
    const pf_pixels *pixels;             /* NULL: they differ */
    int rows;                            /* of positions: PF_ROWS_* */
    pf_pooling pooling;
    bool mean_classifier;                /* its classifier reads the mean of the patches, without the final norm */
    /* What descriptions name, and how backbones are saved in the family's namings. */
    const pf_arch_row *architectures, *model_types;
    const pf_hf_model *saved;
} pf_family;

/* --- the table ---------------------------------------------------------------------------------------------------- */
/* Ends with NULL; a file's family is the first that fits. Functions take the table, so that tests can add a row. */
typedef const pf_family *const *pf_families;
extern const pf_family *const pf_all_families[];
extern const pf_naming pf_naming_timm, pf_naming_hf, pf_naming_hf5;

bool             pf_family_uses(const pf_family *f, const pf_naming *n);
enum { PF_NAMINGS_MAX = 32 };
size_t           pf_namings(pf_families families, const pf_naming *out[PF_NAMINGS_MAX]);      /* each once; how many */
/* Their names, all or of those that are written, as in "timm, hf or hf5". */
void             pf_naming_names(pf_families families, bool written, char *text, size_t room);
/* The model of Hugging Face as which a network of shape s is saved; NULL: the naming has none. */
const pf_hf_model *pf_saved_as(pf_families families, const pf_naming *n, const pf_vit_shape *s);

/* What the description's name of the network tells: timm's architecture, else Hugging Face's type of model. */
typedef struct pf_arch {
    const char *name;                    /* NULL: none */
    bool timm, known;                    /* known: the rest is told by the name where it is told at all */
    pf_arch_row told;
} pf_arch;
pf_arch pf_arch_of(pf_families families, const char *architecture, const char *model_type);
#endif
