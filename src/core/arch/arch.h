/* SPDX-License-Identifier: Apache-2.0
 * arch.h -- the constants that describe a family of checkpoints (the files of one library or one training method): how
 * its tensors are named and what its networks assume. A new family is one file in core/arch/family and one line in
 * core/arch/families.def; loading, reading configuration files and saving use its pf_family. */
#ifndef PF_ARCH_H
#define PF_ARCH_H
#include "core/vit/shape.h"
#include "kernels/pk.h"

/* --- names -------------------------------------------------------------------------------------------------------- */
/* Properties of a network, as bits. A row of a table with such bits is used to save networks that have all of these
 * properties; 0: every network. SCALED: with LayerScale; GATED: with a gated MLP (SwiGLU). Loading ignores the bits. */
enum { PF_UNSCALED = 1, PF_SCALED = 2, PF_UNGATED = 4, PF_GATED = 8, PF_NO_REGISTERS = 16, PF_REGISTERS = 32,
       PF_ONLY_READ = 64,                /* no network has this bit, so that the name is read and never written */
       PF_CLASS_TOKEN = 128, PF_NO_CLASS_TOKEN = 256,
       /* with attention pooling; its queries are as wide as the tokens, or not */
       PF_ATTN_POOL = 512, PF_NO_ATTN_POOL = 1024, PF_POOL_AS_WIDE = 2048, PF_POOL_OTHER_WIDTH = 4096,
       /* the classifier reads class and distillation token side by side */
       PF_PAIR = 8192, PF_NO_PAIR = 16384,
       PF_NORM_PRE = 32768, PF_NO_NORM_PRE = 65536,
       /* of the file to be written (pf_vit_shape.timm_form) */
       PF_LS = 131072, PF_GAMMA = 262144, PF_K_BIAS = 524288, PF_NO_K_BIAS = 1048576, PF_SPLIT_GATE = 2097152 };
/* A bit beside these in a row of names: the tensor lacks the leading extents of 1 that timm's has. */
enum { PF_FLAT = 1 << 30 };
bool pf_shape_fits(const pf_vit_shape *s, unsigned needs);                /* true: s has all properties in needs */

/* The name of a tensor in the family's library (theirs) and in timm. # stands for the number of the block and @ for
 * weight or bias: { "layernorm_before.@", "norm1.@", 0, 0 }. part: 1, 2, 3 where q, k and v are separate tensors; 1 and
 * 2 for gate and value of a gated MLP, and for k and v of attention pooling; PF_WHOLE_TENSOR where one tensor holds all
 * of timm's. Saving takes the first row of a timm name whose properties (needs) the network has. timm NULL: a tensor
 * that loading leaves out, as it holds values that the library computes itself. timm PF_POOL_QKV: a tensor with the
 * rows of q, k and v of attention pooling, which loading splits into timm's attn_pool.q and attn_pool.kv. */
enum { PF_WHOLE_TENSOR = 0 };
#define PF_POOL_QKV "attn_pool.qkv.@"
typedef struct pf_name_row { const char *theirs, *timm; int part; unsigned needs; } pf_name_row;

/* Which biases of a block may be missing although others are there. K: that of k beside those of q and v. ANY: those of
 * q, k, v, attn.proj and the MLP, each in all blocks or in none. */
typedef enum { PF_ABSENT_NONE, PF_ABSENT_K, PF_ABSENT_ANY } pf_absent;

/* How a library names tensors. A file's naming is recognised by the name of a block's first attention weight, such as
 * "blocks.0.attn.qkv.weight" (pf_naming_attention). */
typedef struct pf_naming {
    const char *name;                    /* value of the option "naming" */
    struct { const char *pattern; unsigned needs; } front[2];  /* names in blocks begin with one of these: "blocks.#.";
                                                                  needs: as in pf_name_row */
    const char *inner;                   /* a prefix ("vit.") that names outside the blocks may have; NULL: none */
    const pf_name_row *top;              /* names outside the blocks; the last row is empty */
    const pf_name_row *block;            /* names in blocks, without front; the last row is empty */
    const char *silu_tensor;             /* glob: if it matches a tensor of a file, the file's gated MLPs have SiLU;
                                            else they may have another activation. NULL: they always have SiLU */
    pf_absent absent_biases;             /* biases of blocks that may be missing beside others, and are then 0 */
    bool lone_half;                      /* the name of the second half of a gated MLP's fc1 is that of the whole fc1 in
                                            files without a first half */
    const char *flat_patches;            /* words for the network of a file whose patch embedding is a matrix, which is
                                            refused; NULL: the matrix is a kernel with its last three axes joined */
    const char *config_file;             /* a configuration file that is read in place of all others; NULL: none */
    const char *config_file_prefix;      /* config_file is read if the ViT's prefix contains this; NULL: always */
    const struct pf_naming *other;       /* naming of further networks of the same library; saving uses it for them;
                                            NULL: none */
    const struct pf_naming *unfused;     /* the naming of PF_TIMM_SPLIT_QKV; NULL: there is no such form */
    const struct pf_naming *part;        /* naming of networks of another library that files hold as a part; and how */
    const struct pf_hf_model *part_model;             /* they are saved (open_clip: timm's, "visual.trunk."); NULL */
    const char *dtype;                   /* the key of config.json for the element type; NULL: the naming has no
                                            config.json */
    bool written;                        /* a backbone can be saved in this naming */
    const struct pf_naming *rotary;      /* the naming in which networks with rotary positions are saved in place of
                                            this one; NULL: this one */
} pf_naming;

/* --- facts -------------------------------------------------------------------------------------------------------- */
/* How many rows a file's position embedding may have before those of the patches. One, for the class token, is always
 * allowed; these bits allow other numbers too. PF_ROWS_NONE: 0 rows. PF_ROWS_ALL: a row for the class token and each
 * register. In a network with registers the class token alone may have a row: with PF_ROWS_ALL this row stays (timm);
 * without it, loading adds the row to the class token. */
enum { PF_ROWS_CLASS = 0, PF_ROWS_NONE = 1, PF_ROWS_ALL = 2 };

/* The feature that the classifier reads, for files that do not state it. CLS: the class token. BY_NORM: the mean of the
 * patches if the file has fc_norm, else the class token. ANY: as BY_NORM, and the file's one final norm can be applied
 * to either feature. CLS_DIST: class and distillation token side by side. */
typedef enum pf_pooling { PF_POOL_CLS, PF_POOL_BY_NORM, PF_POOL_ANY, PF_POOL_CLS_DIST } pf_pooling;

/* What a family's classifier reads. OF_FEATURE: the pooled feature; OF_MEAN: the mean of the patches after the final
 * norm; OF_RAW_MEAN: the mean without the final norm, which the file holds all the same. */
typedef enum pf_classifier { PF_CLASSIFIER_OF_FEATURE, PF_CLASSIFIER_OF_MEAN, PF_CLASSIFIER_OF_RAW_MEAN } pf_classifier;

/* Mean and standard deviation of each channel, of pixels divided by the largest value of their type (255). */
typedef struct pf_pixels { double mean[3], std[3]; } pf_pixels;
/* Statistics of ImageNet and of CLIP's training pictures: defaults of several libraries. */
#define PF_IMAGENET_MEAN { 0.485, 0.456, 0.406 }
#define PF_IMAGENET_STD  { 0.229, 0.224, 0.225 }
#define PF_CLIP_MEAN     { 0.48145466, 0.4578275, 0.40821073 }
#define PF_CLIP_STD      { 0.26862954, 0.26130258, 0.27577711 }
extern const pf_pixels pf_imagenet, pf_clip;

/* Facts that follow from the name of a network, timm's "architecture" or Hugging Face's "model_type". All rows of all
 * families whose glob matches the name are merged, later ones over earlier ones. A network is known if one of them has
 * a rule. */
typedef struct pf_arch_row {
    const char *glob;
    int64_t heads;                       /* 0: the name does not determine it */
    double eps;                          /* of LayerNorm; 0: the name does not determine it */
    const char *rule;                    /* for resampling the position embedding (pos_embed.h); NULL: unknown */
    const char *processor;               /* class of Hugging Face's image processor, without the word ImageProcessor */
    const char *refused;                 /* an operation of the network that this library lacks; NULL: none */
    bool silu;                           /* its gated MLP has SiLU */
    const struct pf_field *settings;     /* further facts, by names and values of load options (load_options.c) or of
                                            facts of configuration files (describe/config.h); the last one is empty */
} pf_arch_row;

/* --- config.json -------------------------------------------------------------------------------------------------- */
/* Properties of a network that a model class of Hugging Face may be unable to represent. NO_CLASS_ROW: the class token
 * has no row in the position embedding. ODD_MLP: mlp_ratio, a whole number, cannot give the MLP's width. OTHER_POOL: a
 * classifier of another feature than that of the model class. MANY_REGISTERS: more than one. OTHER_ROPE: rotary
 * positions other than DINOv3's. LAST_GATE: a gated MLP with the activation on the second half. NOT_SIGLIP_POOL,
 * NOT_COCA_POOL: attention pooling of another kind. POOL_NORMS: attention pooling with norms of queries and tokens.
 * NO_GELU: an activation that is no form of GELU; NOT_GELU: not the exact one. */
enum { PF_HAS_FC_NORM = 1, PF_HAS_NORM_PRE = 2, PF_HAS_NO_NORM = 4, PF_HAS_NO_PATCH_BIAS = 8, PF_HAS_REGISTERS = 16,
       PF_HAS_GATED_MLP = 32, PF_HAS_NO_CLASS_ROW = 64, PF_HAS_CLASSIFIER = 128, PF_HAS_ODD_MLP = 256,
       PF_HAS_NO_CLASS_TOKEN = 512, PF_HAS_NO_POSITIONS = 1024, PF_HAS_INNER_NORMS = 2048, PF_HAS_NO_BIASES = 4096,
       PF_HAS_OTHER_GATE = 8192, PF_HAS_OTHER_ACT = 16384, PF_HAS_ATTN_POOL = 32768, PF_HAS_OTHER_POOL = 65536,
       PF_HAS_MANY_REGISTERS = 131072, PF_HAS_ROPE = 262144, PF_HAS_NO_ROPE = 524288, PF_HAS_OTHER_ROPE = 1048576,
       PF_HAS_POSITIONS = 2097152, PF_HAS_NO_LAYER_SCALE = 4194304, PF_HAS_LAST_GATE = 8388608,
       PF_HAS_PATCH_BIAS = 1 << 24, PF_HAS_NO_QKV_BIAS = 1 << 25, PF_HAS_NOT_SIGLIP_POOL = 1 << 26,
       PF_HAS_NOT_COCA_POOL = 1 << 27, PF_HAS_POOL_NORMS = 1 << 28, PF_HAS_NO_GELU = 1 << 29,
       PF_HAS_NOT_GELU = 1 << 30 };
/* A property that a model class cannot represent; what: its name in the error message. */
typedef struct pf_lack { unsigned has; const char *what; } pf_lack;
/* A key of config.json, and its value as JSON; in pf_arch_row.settings a fact, and its value as text. */
typedef struct pf_field { const char *key, *json; } pf_field;
/* What no model class can represent. */
#define PF_COMMON_LACKS \
    { PF_HAS_NO_NORM, "a network without a final norm" }, { PF_HAS_ROPE, "rotary positions" }, \
    { PF_HAS_NO_POSITIONS, "a network without a position embedding" }, \
    { PF_HAS_INNER_NORMS, "norms inside attention or MLP" }, \
    { PF_HAS_NO_BIASES, "blocks without biases" }, \
    { PF_HAS_OTHER_GATE, "a gated MLP other than SwiGLU" }, { PF_HAS_OTHER_ACT, "an activation of this kind" }
/* What the model classes of Hugging Face cannot represent that are no image towers. */
#define PF_HF_LACKS \
    { PF_HAS_FC_NORM, "the norm after mean pooling (fc_norm)" }, { PF_HAS_NORM_PRE, "a norm before the blocks" }, \
    { PF_HAS_ATTN_POOL, "attention pooling" }, { PF_HAS_NO_PATCH_BIAS, "a patch embedding without a bias" }, \
    PF_COMMON_LACKS

/* A tensor that a model class has and does not use, filled with a constant: one element for each column of a token.
 * with_classifier: only the class with a classifier does not use it. leading: extents of 1 before that of the
 * columns. */
typedef struct pf_filled { const char *name; float value; bool with_classifier; int leading; } pf_filled;

/* pf_hf_model.type of a network that open_clip's files hold as a part, "visual.trunk.". */
#define PF_PART_TYPE "open_clip_timm"
/* A model class that a backbone can be saved as: of Hugging Face, with a config.json, or of another library. */
typedef struct pf_hf_model {
    const char *type;                          /* model_type; a word of ours if the naming has no config.json */
    const char *model;                         /* "architectures" of a backbone without a classifier */
    const char *classifier;                    /* "architectures" with a classifier; NULL: it cannot have one */
    const char *classifier_type;               /* model_type with a classifier; NULL: as without */
    const char *prefix;                        /* of all names but the classifier's; NULL: type with a classifier, and
                                                  none without */
    bool tower;                                /* the image tower of a model of images and texts: with a classifier, the
                                                  keys of config.json are in vision_config */
    bool may_pool;                             /* it has attention pooling (vision_use_head) or not */
    bool raw_mean;                             /* its classifier reads the mean without the final norm */
    const pf_filled *filled;                   /* the last one is empty; NULL: none */
    pf_feature feature;                        /* what its classifier reads */
    bool all_rows;                             /* its position embedding has rows for the registers too */
    unsigned needs;                            /* properties (PF_SCALED ..) of the networks that are saved as it */
    bool only_wanted;                          /* only a network of this model_type is saved as it */
    const pf_lack *lacks;                      /* what it cannot represent, main reason first; the last row is empty */
    const pf_field *fields;                    /* of config.json, the same for every network; NULL: none */
    bool by_ratio;                             /* config.json gives the MLP's width as mlp_ratio and use_swiglu_ffn */
    bool own_fields;                           /* config.json has `fields` and those of DINOv3 (rope_theta, a flag for
                                                  each bias) in place of the fields of the other classes */
    const char *no_registers;                  /* name of its tensor [1, 0, width] in a network without registers; NULL:
                                                  it has none then */
} pf_hf_model;

/* --- a family ----------------------------------------------------------------------------------------------------- */
/* Lists end with NULL or an empty row; NULL: an empty list. */
typedef struct pf_family {
    const char *name;
    const pf_naming *naming[2];          /* the namings that its files have; NULL: no more */
    const char *has_tensor[2];           /* globs: a file of the naming belongs to this family if one of them matches a
                                            tensor's name; none: every file of the naming does */
    /* Names in addition to pf_naming.top and .block. They are read in all files of the naming, whatever the family. */
    const pf_name_row *top, *block;
    const pf_name_row *outside;          /* names of tensors that may stand after a part of the ViT's prefix only */
    /* The following apply to the files of every family, as files of one library may hold parts of another's. */
    const char *const *classifiers;      /* names of the classifier, alone or after a part of the ViT's prefix */
    const char *const *ignored;          /* globs of tensors outside the blocks that features do not depend on */
    const char *loaded;                  /* for files with two networks: prefix of the loaded one, "teacher." */
    const char *skipped;                 /* prefix of the other network, "student." */
    /* What is assumed if neither tensors nor configuration files state it. */
    double eps;
    int act;                             /* pk_act */
    const char *act_why;                 /* why it is assumed; NULL: it is usual for files of the naming */
    const char *rule;                    /* for resampling the position embedding (pos_embed.h) */
    const pf_pixels *pixels;             /* NULL: unknown */
    int rows;                            /* PF_ROWS_*: rows of the position embedding before those of the patches */
    bool without_class_token;            /* its networks may have no class token */
    bool without_positions;              /* its networks may have no position embedding */
    const struct pf_field *rope;         /* its rotary positions, by names and values of load options; NULL: they follow
                                            from the tensors, or it has none */
    pf_pooling pooling;
    pf_classifier classifier;            /* the feature that its classifier reads */
    int64_t pool_heads;                  /* heads of attention pooling; 0: as many as in a block */
    double pool_eps;                     /* eps of its norms; 0: that of the blocks */
    bool pool_all;                       /* attention pooling reads class token and registers as well as patches */
    const pf_arch_row *architectures;    /* facts by timm's "architecture" in a configuration file */
    const pf_arch_row *model_types;      /* facts by Hugging Face's "model_type" */
    const pf_hf_model *saved;            /* the model class that backbones are saved as in these namings; NULL: none */
} pf_family;

/* --- the table ---------------------------------------------------------------------------------------------------- */
/* Ends with NULL; a file's family is the first that matches. Functions take the table as an argument, so that tests can
 * add a row. */
typedef const pf_family *const *pf_families;
extern const pf_family *const pf_all_families[];
extern const pf_naming pf_naming_timm, pf_naming_timm_unfused, pf_naming_hf, pf_naming_hf5, pf_naming_hf_clip,
                       pf_naming_hf_dinov3, pf_naming_clip;

bool             pf_family_uses(const pf_family *f, const pf_naming *n);
enum { PF_NAMINGS_MAX = 32 };
/* Writes the families' namings to out, each once; returns their number. */
size_t           pf_namings(pf_families families, const pf_naming *out[PF_NAMINGS_MAX]);
/* Write a list of names, "timm, hf or hf5": of all namings, or of those that a backbone can be saved in. */
void             pf_list_namings(pf_families families, char *text, size_t capacity);
void             pf_list_saved_namings(pf_families families, char *text, size_t capacity);
/* What a network of shape s is saved as in the naming n: the model class, and the naming of its tensors, which is n,
 * n->other or n->part. wanted: the type of a model that is preferred if it is for such networks; "": none. classifier:
 * the classifier is saved too. model NULL: the naming has no model classes. */
typedef struct pf_saving { const pf_hf_model *model; const pf_naming *naming; } pf_saving;
pf_saving pf_saved_as(pf_families families, const pf_naming *n, const pf_vit_shape *s, const char *wanted,
                      bool classifier);

/* What follows from the name of the network in a configuration file: timm's architecture, else Hugging Face's
 * model_type. */
typedef struct pf_arch {
    const char *name;                    /* NULL: the file has neither */
    bool timm;                           /* name is timm's architecture */
    bool known;                          /* a row that matches the name gives a rule of resampling */
    pf_arch_row facts;                   /* all rows whose glob matches the name, merged, but not their settings */
    const pf_field *settings[4];         /* those of the rows, in their order; NULL: no more */
} pf_arch;
/* The value of this setting in the last row that has it; NULL: none has. */
const char *pf_arch_setting(const pf_arch *a, const char *name);
pf_arch pf_arch_of(pf_families families, const char *architecture, const char *model_type);
#endif
