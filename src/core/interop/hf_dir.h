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
#define PF_PEFT_FRONT   "base_model.model."                  /* begins the names of all tensors in PEFT's files */
#define PF_PATH_MAX (2 * PF_NAME_MAX)

/* --- hf_pattern.c: Python's regular expressions, the part that module patterns use ------------------------------- */
/* *matches: pattern matches the whole text, or an end of it: the text itself, or what is behind one of its dots.
 * Supported are . * + ? [] () | \d and escaped punctuation; PEFT_E_UNSUPPORTED names anything else in the pattern. */
peft_status pf_peft_match_whole(const char *pattern, const char *text, bool *matches);
peft_status pf_peft_match_end(const char *pattern, const char *text, bool *matches);
/* true: path is name, or ends with "." and name */
bool pf_path_ends_with(const char *path, const char *name);

/* --- hf_names.c: modules ----------------------------------------------------------------------------------------- */
/* Who names the modules: transformers before version 5, transformers since, timm. */
typedef enum { PF_PEFT_HF, PF_PEFT_HF5, PF_PEFT_TIMM, PF_PEFT_NAMINGS } pf_peft_naming;
extern const char *const pf_peft_naming_name[PF_PEFT_NAMINGS];             /* "hf", "hf5", "timm" */
typedef struct pf_peft_names {
    pf_peft_naming naming;
    const pf_vit_shape *shape;
    char prefix[PF_NAME_MAX];                                /* of the backbone's modules: "vit."; "": none */
} pf_peft_names;
/* The names of b's modules, without a prefix. Borrows b's shape. */
pf_peft_names pf_peft_names_of(const peft_backbone *b, pf_peft_naming naming);

/* FINAL: the final norm. OTHER: a module of transformers that this library does not compute (the pooler). */
typedef enum { PF_MODULE_LINEAR, PF_MODULE_CONV, PF_MODULE_NORM, PF_MODULE_FINAL, PF_MODULE_HEAD,
               PF_MODULE_OTHER } pf_module_kind;
enum { PF_NO_LAYER = -1 };                                   /* the module is outside the blocks */
/* A module of the backbone, by its path in the model that PEFT adapts and by this library's name:
 * "vit.layers.0.attention.q_proj" and "blocks.0.attn.q". */
typedef struct pf_module {
    char path[PF_PATH_MAX], ours[PF_NAME_MAX];
    pf_module_kind kind;
    int64_t layer;                                           /* number of the block, or PF_NO_LAYER */
    bool target;                                             /* the adapter adapts it */
    bool saved;                                              /* trained as a whole and saved (modules_to_save) */
    int64_t rank; double alpha;                              /* of LoRA, if target */
} pf_module;
/* The two numbers of a module that LoRA adapts. */
typedef enum { PF_RANK, PF_ALPHA } pf_lora_number;
static inline double pf_module_number(const pf_module *m, pf_lora_number which)
{
    return which == PF_RANK ? (double)m->rank : m->alpha;
}
enum { PF_PEFT_DEFAULT_RANK = 8, PF_PEFT_DEFAULT_ALPHA = 8 };  /* PEFT's, for a configuration without r or lora_alpha */
typedef struct pf_modules { peft_context *ctx; pf_module *item; size_t count; } pf_modules;

peft_status pf_modules_make(const peft_backbone *b, const pf_peft_names *n, pf_modules *out);
void        pf_modules_free(pf_modules *m);
/* Finds naming and prefix by the names of an adapter's tensors. */
peft_status pf_peft_detect(const peft_backbone *b, const pf_st *st, pf_peft_names *out);
/* The form of the keys of tensors in PEFT's file. LN_TUNING: that of method ln_tune, in which a norm's key has
 * ".ln_tuning_layers" in it. */
typedef enum { PF_KEYS_PLAIN, PF_KEYS_LN_TUNING } pf_peft_key_form;
/* Writes the key of the parameter `name`, such as blocks.0.attn.q.lora_A.weight. false: the naming has no such key. */
bool pf_peft_key(const pf_peft_names *n, pf_peft_key_form form, const char *name, char key[PF_PATH_MAX + 64]);

/* A parameter, with key and extents of its tensor in PEFT's file. That file stores tensors of the patch embedding as
 * convolution kernels; here they are matrices. */
typedef struct pf_peft_entry { char key[PF_PATH_MAX + 64]; pf_param *param; int ndim; int64_t dim[4]; } pf_peft_entry;
typedef struct pf_peft_entries { peft_context *ctx; pf_peft_entry *item; size_t count; } pf_peft_entries;
/* Lists the parameters of the adapter and of the head (NULL: none). */
peft_status pf_peft_entries_make(const peft_adapter *a, const pf_params *head, const pf_peft_names *n,
                                 pf_peft_entries *out);
void        pf_peft_entries_free(pf_peft_entries *e);

/* --- hf_config.c: adapter_config.json ---------------------------------------------------------------------------- */
typedef enum { PF_PEFT_LORA, PF_PEFT_IA3, PF_PEFT_LN, PF_PEFT_TYPES } pf_peft_type;
extern const struct pf_peft_kind { const char *type, *method; } pf_peft_kinds[PF_PEFT_TYPES];   /* "LORA", "lora" */
typedef struct pf_peft_config { pf_peft_type type; json_t *root; } pf_peft_config;
/* Reads the configuration and refuses fields of a wrong type and settings that this library does not support. */
peft_status pf_peft_config_read(peft_context *ctx, const char *dir, pf_peft_config *out);
void        pf_peft_config_free(pf_peft_config *c);

/* --- hf_select.c ------------------------------------------------------------------------------------------------- */
/* Sets target, saved, rank and alpha of the modules by the configuration. */
peft_status pf_peft_select(const pf_peft_config *c, pf_modules *m);

/* --- hf_options.c ------------------------------------------------------------------------------------------------ */
/* Makes the options by which this library's method adapts exactly the targets among m. */
peft_status pf_peft_options(const pf_peft_config *c, const peft_backbone *b, const pf_modules *m, peft_options **out);

/* --- hf_config_write.c ------------------------------------------------------------------------------------------- */
/* Makes the content of adapter_config.json, and sets target, saved, rank and alpha of m. head: the classifier is saved
 * too. */
peft_status pf_peft_config_make(const peft_adapter *a, pf_peft_type type, bool head, pf_modules *m, json_t **out);
#endif
