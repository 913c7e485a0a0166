/* SPDX-License-Identifier: Apache-2.0
 * arch.h -- what makes one family of checkpoints differ from another, as constants. A new family is one file in
 * core/arch/family and one line of core/arch/families.def; loading, reading descriptions and saving follow its row. */
#ifndef PF_ARCH_H
#define PF_ARCH_H
#include "core/vit/shape.h"
#include "kernels/pk.h"

/* --- names -------------------------------------------------------------------------------------------------------- */
/* Properties that a network must have for a name to be written: SCALED: with LayerScale; GATED: with a gated MLP. 0: a
 * name for every network. Reading accepts all names. */
enum { PF_UNSCALED = 1, PF_SCALED = 2, PF_UNGATED = 4, PF_GATED = 8, PF_NO_REGISTERS = 16, PF_REGISTERS = 32,
       PF_READ = 64 };                   /* no network has it: the name is read and never written */
bool pf_shape_fits(const pf_vit_shape *s, unsigned only);                 /* has s all of these properties? */

/* The name of a tensor in the library (theirs) and in timm. # stands for the number of the block and @ for the word
 * weight or bias: { "layernorm_before.@", "norm1.@", 0, 0 }. part: 1, 2, 3 for q, k, v as tensors of their own, 1 and 2
 * for gate and value of a gated MLP; 0: the whole tensor. Of several rows for one timm name the first whose properties
 * (only) the network has is written. */
typedef struct pf_name_row { const char *theirs, *timm; int part; unsigned only; } pf_name_row;

/* How a library names tensors. A file has the naming whose name for the first block's attention weight it holds. */
typedef struct pf_naming {
    const char *name;                    /* a word of the option "naming" */
    struct { const char *pattern; unsigned only; } front[2];   /* begins all names of blocks: "blocks.#."; NULL: none */
    const char *inner;                   /* a prefix ("vit.") that names outside the blocks may have; NULL: none */
    const pf_name_row *top, *block;      /* names outside the blocks, and names behind front; the last row is empty */
    const char *silu;                    /* a file with a name that fits this glob has gated MLPs with SiLU, others may
                                            have another activation; NULL: all have SiLU */
    const char *description, *behind;    /* a configuration file that is read in place of all others, where the prefix
                                            of the ViT's names contains behind (NULL: always); NULL: none */
    const char *dtype;                   /* the key of config.json for the element type; NULL: no config.json */
    bool written;                        /* a backbone can be saved in this naming */
} pf_naming;

/* --- facts -------------------------------------------------------------------------------------------------------- */
/* How many rows a position embedding may have in front of those of the patches. CLASS: one, of the class token; bit
 * NONE: also none; bit ALL: also one for each token in front of the patches (class token and registers). In files of
 * networks with registers a single row is kept with bit ALL (timm), else added to the class token. */
enum { PF_ROWS_CLASS = 0, PF_ROWS_NONE = 1, PF_ROWS_ALL = 2 };

/* What the classifier reads where no file tells. CLS: the class token. BY_NORM: the mean of the patches where the file
 * has fc_norm, else the class token. ANY: as BY_NORM, and the one final norm serves for either. */
typedef enum pf_pooling { PF_POOL_CLS, PF_POOL_BY_NORM, PF_POOL_ANY } pf_pooling;

/* Mean and standard deviation of pixels by channel, after division by the largest value a sample can have (255). */
typedef struct pf_pixels { double mean[3], std[3]; } pf_pixels;
/* Those of the pictures that ImageNet networks and CLIP were trained on, which several libraries have as defaults. */
#define PF_IMAGENET_MEAN { 0.485, 0.456, 0.406 }
#define PF_IMAGENET_STD  { 0.229, 0.224, 0.225 }
#define PF_CLIP_MEAN     { 0.48145466, 0.4578275, 0.40821073 }
#define PF_CLIP_STD      { 0.26862954, 0.26130258, 0.27577711 }
extern const pf_pixels pf_imagenet, pf_clip;

/* What follows from the name of a network, timm's "architecture" or Hugging Face's "model_type". All rows of all
 * families whose glob fits the name count, later ones over earlier ones. A network is known where one of them has a
 * rule. */
typedef struct pf_arch_row {
    const char *glob;
    int64_t heads;                       /* 0: not told */
    double eps;                          /* 0: not told */
    const char *rule;                    /* of resampling positions (pos_embed.h); NULL: not told */
    const char *processor;               /* class of Hugging Face's image processor, without the word ImageProcessor */
    const char *refused;                 /* what the network computes and this library does not; NULL: nothing */
    bool silu;                           /* its gated MLP has SiLU */
} pf_arch_row;

/* --- config.json -------------------------------------------------------------------------------------------------- */
/* Properties of a network that a model of Hugging Face may not be able to express, for pf_lack. */
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
    unsigned only;                             /* properties (PF_SCALED ..) of the networks that are saved as it */
    const pf_lack *lacks;                      /* what it cannot express, most important first; the last row is empty */
    const pf_field *fields;                    /* of config.json, the same for every network; NULL: none */
    bool by_ratio;                             /* config.json gives the MLP's width as mlp_ratio and use_swiglu_ffn */
} pf_hf_model;

/* --- a family ----------------------------------------------------------------------------------------------------- */
/* Lists end with NULL or an empty row; NULL: an empty list. */
typedef struct pf_family {
    const char *name;
    const pf_naming *naming[2];          /* the namings that its files have; NULL: no more */
    const char *has[2];                  /* globs: among the families of a naming, a file with a tensor whose name fits
                                            one is of this family; none: every file of the naming is */
    /* Names beside those of the naming, read in all files of the naming. */
    const pf_name_row *top, *block;
    /* The following are looked for in the files of every family, as files of one library hold parts of another's. */
    const char *const *classifiers;      /* names of the classifier; part of the ViT's prefix may stand in front */
    const char *const *ignored;          /* globs of tensors outside the blocks that features do not depend on */
    const char *kept, *partner;          /* of two networks in one file (teacher and student) the prefix of the one that
                                            is loaded, and of the one that is not */
    /* What is assumed where neither tensors nor configuration files tell. */
    double eps;
    int act;                             /* pk_act */
    const char *rule;                    /* of resampling positions (pos_embed.h) */
    const pf_pixels *pixels;             /* NULL: no usual ones */
    int rows;                            /* of the position embedding: PF_ROWS_* */
    pf_pooling pooling;
    bool mean_classifier;                /* its classifier reads the mean of the patches, without the final norm */
    /* Names of networks in configuration files, and the model as which backbones are saved in the family's namings. */
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
/* Writes the names of all namings, or of those that backbones are saved in: "timm, hf or hf5". */
void             pf_naming_names(pf_families families, bool written, char *text, size_t room);
/* The model of Hugging Face as which a network of shape s is saved; NULL: the naming has none. */
const pf_hf_model *pf_saved_as(pf_families families, const pf_naming *n, const pf_vit_shape *s);

/* What follows from the names in a configuration file: timm's architecture, else Hugging Face's type of model. */
typedef struct pf_arch {
    const char *name;                    /* NULL: the file has neither */
    bool timm, known;                    /* name is timm's architecture; a row of a family knows it */
    pf_arch_row told;                    /* all rows that fit the name, taken together */
} pf_arch;
pf_arch pf_arch_of(pf_families families, const char *architecture, const char *model_type);
#endif
