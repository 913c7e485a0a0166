/* SPDX-License-Identifier: Apache-2.0
 * hf_dir.h -- what hf_read.c and hf_write.c share to read and write adapter directories of Hugging Face's PEFT library:
 * patterns of module names, the backbone's modules under the names of transformers or timm, adapter_config.json, and
 * the modules that it adapts. */
#ifndef PF_HF_DIR_H
#define PF_HF_DIR_H
#include <jansson.h>
#include <peft/interop.h>
#include "core/model/model.h"

#define PF_PEFT_CONFIG  "adapter_config.json"
#define PF_PEFT_TENSORS "adapter_model.safetensors"
#define PF_PEFT_TORCH   "adapter_model.bin"                  /* read where PF_PEFT_TENSORS is missing */
#define PF_PEFT_FRONT   "base_model.model."                  /* begins the names of all tensors in PEFT's files */
#define PF_PEFT_SHARED  "base_model."                        /* .. of tensors that modules share */
#define PF_PATH_MAX (2 * PF_NAME_MAX)

/* --- hf_pattern.c: Python's regular expressions, the part that module patterns use ------------------------------- */
/* *matches: pattern matches the whole text, or an end of it: the text itself, or what is behind one of its dots.
 * Supported are . * + ? [] () | \d and escaped punctuation; PEFT_E_UNSUPPORTED names anything else in the pattern. */
peft_status pf_peft_match_whole(const char *pattern, const char *text, bool *matches);
peft_status pf_peft_match_end(const char *pattern, const char *text, bool *matches);
/* true: path is name, or ends with "." and name */
bool pf_path_ends_with(const char *path, const char *name);

/* --- hf_names.c: modules ----------------------------------------------------------------------------------------- */
/* Who names the modules: transformers before version 5, transformers since, timm, transformers' CLIP and SigLIP, timm's
 * Eva with q, k and v apart, open_clip and OpenAI's CLIP, transformers' DINOv3. */
typedef enum { PF_PEFT_HF, PF_PEFT_HF5, PF_PEFT_TIMM, PF_PEFT_HF_CLIP, PF_PEFT_UNFUSED, PF_PEFT_CLIP,
               PF_PEFT_DINOV3, PF_PEFT_NAMINGS } pf_peft_naming;
extern const char *const pf_peft_naming_name[PF_PEFT_NAMINGS];             /* "hf", "hf5", .. */
#define PF_PEFT_NAMING_LIST "hf, hf5, timm, hf-clip, timm-unfused, clip or hf-dinov3"   /* for messages */
static inline bool pf_is_timm(pf_peft_naming n) { return n == PF_PEFT_TIMM || n == PF_PEFT_UNFUSED; }
const pf_naming *pf_peft_naming_of(pf_peft_naming n);                      /* the naming of its tensors in files */
/* The layers of a gated MLP under timm's names: one fc1, as in SwiGLUPacked; fc1_g and fc1_x, as in SwiGLU; w12 and w3,
 * as in DINOv2's own code. */
typedef enum { PF_MLP_FC1, PF_MLP_HALVES, PF_MLP_W12, PF_MLPS } pf_peft_mlp;
typedef struct pf_peft_names {
    pf_peft_naming naming;
    pf_peft_mlp mlp;                                         /* with PF_PEFT_TIMM and a gated MLP */
    const pf_vit_shape *shape;
    char prefix[PF_NAME_MAX];                                /* of the backbone's modules: "vit."; "": none */
} pf_peft_names;
/* The names of b's modules, without a prefix. Borrows b's shape. */
pf_peft_names pf_peft_names_of(const peft_backbone *b, pf_peft_naming naming);

/* ATTENTION: in_proj or out_proj of a MultiheadAttention of torch. FINAL: the final norm. FIXED: a layer of attention
 * pooling, which no method here adapts. OTHER: a module that is not in this library's network, or whose adapter has no
 * effect in PEFT's model: the pooler of transformers, norms that are an Identity in timm. */
typedef enum { PF_MODULE_LINEAR, PF_MODULE_ATTENTION, PF_MODULE_CONV, PF_MODULE_NORM, PF_MODULE_FINAL, PF_MODULE_HEAD,
               PF_MODULE_FIXED, PF_MODULE_OTHER } pf_module_kind;
enum { PF_NO_LAYER = -1 };                                   /* the module is outside the blocks */
/* A module of the backbone, by its path in the model that PEFT adapts and by this library's name:
 * "vit.layers.0.attention.q_proj" and "blocks.0.attn.q". attn.qkv and attn.proj of a MultiheadAttention both have its
 * path. */
typedef struct pf_module {
    char path[PF_PATH_MAX], ours[PF_NAME_MAX];
    pf_module_kind kind;
    int64_t layer;                                           /* number of the block, or PF_NO_LAYER */
    bool target;                                             /* the adapter adapts it */
    bool saved;                                              /* trained as a whole and saved (modules_to_save) */
    bool forward;                                            /* IA3 scales its input (feedforward_modules) */
    int64_t rank; double alpha;                              /* of LoRA, if target */
} pf_module;
/* The two numbers of a module that LoRA adapts. */
typedef enum { PF_RANK, PF_ALPHA } pf_lora_number;
static inline double pf_module_number(const pf_module *m, pf_lora_number which)
{
    return which == PF_RANK ? (double)m->rank : m->alpha;
}
/* PEFT's, for a configuration without r or lora_alpha. */
enum { PF_PEFT_DEFAULT_RANK = 8, PF_PEFT_DEFAULT_ALPHA = 8, PF_VERA_DEFAULT_RANK = 256, PF_OFT_DEFAULT_SIZE = 32,
       PF_OFT_DEFAULT_TERMS = 5 };
typedef struct pf_modules { peft_context *ctx; pf_module *item; size_t count; } pf_modules;

peft_status pf_modules_make(const peft_backbone *b, const pf_peft_names *n, pf_modules *out);
void        pf_modules_free(pf_modules *m);
/* Finds naming and prefix by the names of an adapter's tensors. */
peft_status pf_peft_detect(const peft_backbone *b, const pf_st *st, pf_peft_names *out);
/* Writes the path of the module that this library names `ours`, "blocks.0.attn.q", as the names of its adapter's
 * tensors have it; false: the naming does not have it. */
bool pf_module_path(const pf_peft_names *n, const char *ours, char path[PF_PATH_MAX]);
/* true: the tensor's module is one that loading a backbone leaves out, such as those of the text tower. */
bool pf_peft_is_outside(const pf_peft_names *n, const char *key);
/* The module that this library names `ours`; NULL: none of m. */
const pf_module *pf_module_find(const pf_modules *m, const char *ours, size_t length);
/* The part of a module's name behind "blocks.N.", or the whole name. */
const char *pf_module_stem(const char *ours);

/* --- hf_parts.c: modules that are one layer in some namings and several in others, keys, list of tensors ------ */
/* The parts of attn.qkv: attn.q, attn.k and attn.v; of a gated mlp.fc1: mlp.fc1_g and mlp.fc1_x. */
enum { PF_PARTS_MAX = 3 };
typedef struct pf_parts { const char *whole; int count; const char *part[PF_PARTS_MAX]; } pf_parts;
/* The row of which `stem` is the whole, or one of the parts (*index); NULL: of none. index NULL: only the whole. */
const pf_parts *pf_parts_of(const char *stem, int *index);

enum { PF_KEY_MAX = PF_PATH_MAX + 64 };
/* A tensor of PEFT's file. It holds the elements of param from number `first` on; or, if made is not NULL, elements
 * that were computed for writing. PEFT stores tensors of the patch embedding as convolution kernels; here they are
 * matrices. */
typedef struct pf_peft_entry {
    char key[PF_KEY_MAX];
    pf_param *param;
    int64_t first;
    int ndim; int64_t dim[4];
    pk_real *made;
} pf_peft_entry;
typedef struct pf_peft_entries { peft_context *ctx; pf_peft_entry *item; size_t count, capacity; } pf_peft_entries;
void        pf_peft_entries_free(pf_peft_entries *e);
/* Appends an entry for the parameter with this key, extents ndim and dim, and elements from `first` on; NULL: no
 * memory. */
pf_peft_entry *pf_peft_entries_add(pf_peft_entries *e, pf_param *p, const char *key, int64_t first, int ndim,
                                   const int64_t *dim);
int64_t pf_peft_entry_count(const pf_peft_entry *e);         /* elements of the tensor */
/* The end of a parameter's name that follows the module's, ".lora_A.weight"; NULL: it has none of PEFT's. */
const char *pf_peft_ending(const char *name);
/* Writes the key of a tensor of the module of m with this path. */
void pf_peft_key(const pf_module *m, const char *path, const char *ending, char key[PF_KEY_MAX]);

/* --- hf_entries.c ------------------------------------------------------------------------------------------------ */
/* Lists the tensors of the adapter and of the head (NULL: none); m: marked with the adapter's targets. A module that
 * the naming does not have is written as its parts, or parts as their whole. */
peft_status pf_peft_entries_make(const peft_adapter *a, const pf_params *head, const pf_peft_names *n,
                                 const pf_modules *m, pf_peft_entries *out);

/* --- hf_fuse.c ---------------------------------------------------------------------------------------------------- */
/* Adds the tensor that holds parameter p, of a part, and the same parameter of the other parts: LoRA's factors as one
 * pair of block-diagonal form. Does nothing unless p is the first of them. */
peft_status pf_peft_fuse(const peft_adapter *a, const pf_peft_names *n, const pf_modules *m, pf_param *p,
                         pf_peft_entries *e);
/* Appends an entry for a tensor that is computed, of zeros; NULL: no memory. */
pf_peft_entry *pf_peft_add_made(pf_peft_entries *e, pf_param *p, const char *key, int ndim, const int64_t *dim);
/* true: the naming lacks a part that the adapter adapts, so that LoRA's parts are written as their whole. */
bool pf_peft_fuses(const peft_adapter *a, const pf_peft_names *n);
/* LoRA's alpha at the module `ours` of the adapter, and the scale of its update: alpha / r, or alpha / sqrt(r). */
double pf_lora_alpha(const peft_adapter *a, const char *ours);
double pf_lora_scale(const peft_adapter *a, const char *ours, const pf_param *lora_a);

/* --- hf_attention.c: LoRA of torch's MultiheadAttention, which PEFT adapts as one module -------------------------- */
enum { PF_OUT_PROJ_TIMES = 2 };                              /* how often PEFT adds the update of out_proj */
/* true: p belongs to a MultiheadAttention and has to be written by pf_peft_attention. */
bool pf_peft_in_attention(const peft_adapter *a, const pf_peft_names *n, const pf_param *p);
/* true: LoRA is written with other ranks than the adapter's: parts as their whole, or a MultiheadAttention of which
 * in_proj and out_proj have different ranks or scales. */
bool pf_peft_changes_ranks(const peft_adapter *a, const pf_peft_names *n);
/* Sets rank and alpha of the modules of all MultiheadAttentions that the adapter adapts. */
void pf_peft_mark_attention(const peft_adapter *a, const pf_peft_names *n, pf_modules *m);
/* Adds the tensors of the whole MultiheadAttention of p's block. Does nothing unless p is the adapter's first parameter
 * of it. */
peft_status pf_peft_attention(const peft_adapter *a, const pf_peft_names *n, const pf_modules *m, pf_param *p,
                              pf_peft_entries *e);

/* --- hf_config.c: adapter_config.json ---------------------------------------------------------------------------- */
typedef enum { PF_PEFT_LORA, PF_PEFT_IA3, PF_PEFT_LN, PF_PEFT_VERA, PF_PEFT_OFT, PF_PEFT_TYPES } pf_peft_type;
#define PF_PEFT_TYPE_LIST   "LORA, IA3, LN_TUNING, VERA or OFT"  /* for messages */
#define PF_PEFT_METHOD_LIST "lora, ia3, ln_tune, vera or oft"
extern const struct pf_peft_kind { const char *type, *method; } pf_peft_kinds[PF_PEFT_TYPES];   /* "LORA", "lora" */
typedef struct pf_peft_config { pf_peft_type type; json_t *root; } pf_peft_config;
/* Of OFT: side and number of the blocks of a rotation, of which one is 0; one matrix for all blocks; terms of the
 * series, 0: exact. */
typedef struct pf_oft_numbers { int64_t size, blocks, terms; bool share; } pf_oft_numbers;
pf_oft_numbers pf_oft_numbers_of(const pf_peft_config *c);
/* Reads the configuration and refuses fields of a wrong type and settings that this library does not support. */
peft_status pf_peft_config_read(peft_context *ctx, const char *dir, pf_peft_config *out);
void        pf_peft_config_free(pf_peft_config *c);

/* --- hf_head.c: adapters of the classifier ------------------------------------------------------------------------ */
/* Sets the parameters of a linear head to the backbone's classifier with the file's update merged into it. module: the
 * classifier's, marked. */
peft_status pf_peft_fill_head(const peft_backbone *b, const pf_peft_config *c, const pf_module *module,
                              const pf_st *file, const pf_params *params);

/* --- hf_select.c ------------------------------------------------------------------------------------------------- */
/* Sets target, saved, rank and alpha of the modules by the configuration. */
peft_status pf_peft_select(const pf_peft_config *c, pf_modules *m);

/* --- hf_options.c ------------------------------------------------------------------------------------------------ */
/* Makes the options by which this library's method adapts exactly the targets among m. */
peft_status pf_peft_options(const pf_peft_config *c, const peft_backbone *b, const pf_modules *m, peft_options **out);

/* --- hf_mark.c --------------------------------------------------------------------------------------------------- */
/* Sets target, saved, forward, rank and alpha of m by the adapter's parameters. head: the classifier is saved too. */
void pf_peft_mark(const peft_adapter *a, pf_peft_type type, bool head, const pf_peft_names *n, pf_modules *m);

/* Warns if the adapter adapts a qkv that timm's model does not call: there its weight goes to F.linear, and an adapter
 * has no effect in Python until it is merged. m: marked. */
void pf_peft_warn_bypassed(const peft_backbone *b, const pf_peft_names *n, const pf_modules *m);

/* --- hf_config_write.c ------------------------------------------------------------------------------------------- */
/* Makes the content of adapter_config.json. m: marked. */
peft_status pf_peft_config_make(const peft_adapter *a, pf_peft_type type, const pf_peft_names *n, const pf_modules *m,
                                json_t **out);
#endif
