/* SPDX-License-Identifier: Apache-2.0
 * hf_dir.h -- directories of Hugging Face's PEFT library, in parts: patterns, the backbone's
 * modules under other names, the configuration, which modules it adapts; reading and writing stand on these. */
#ifndef PF_HF_DIR_H
#define PF_HF_DIR_H
#include <jansson.h>
#include <peft/interop.h>
#include "core/model/model.h"

#define PF_PEFT_CONFIG  "adapter_config.json"
#define PF_PEFT_TENSORS "adapter_model.safetensors"
#define PF_PEFT_FRONT   "base_model.model."
#define PF_PATH_MAX (2 * PF_NAME_MAX)

/* --- hf_pattern.c: Python's regular expressions, the part that module patterns use ------------------------------- */
/* Does pattern match all of text? tail: as (.*\.)?(pattern)$, so that it may begin behind any dot.
 * PEFT_E_UNSUPPORTED names what is outside . * + ? [] () | \d and escaped punctuation. */
peft_status pf_peft_match(const char *pattern, const char *text, bool tail, bool *yes);
/* name is path, or path ends with .name */
bool pf_peft_ends(const char *path, const char *name);

/* --- hf_names.c: modules ----------------------------------------------------------------------------------------- */
/* hf5: since version 5 of transformers */
typedef enum { PF_PEFT_HF, PF_PEFT_HF5, PF_PEFT_TIMM, PF_PEFT_NAMINGS } pf_peft_naming;
extern const char *const pf_peft_naming_name[PF_PEFT_NAMINGS];
typedef struct pf_peft_names {
    pf_peft_naming naming;
    const pf_vit_shape *shape;
    char prefix[PF_NAME_MAX];
} pf_peft_names;
/* Of b, which must stay; prefix "". */
pf_peft_names pf_peft_names_of(const peft_backbone *b, pf_peft_naming naming);

typedef enum { PF_MODULE_LINEAR, PF_MODULE_CONV, PF_MODULE_NORM, PF_MODULE_FINAL, PF_MODULE_HEAD,
               PF_MODULE_OTHER } pf_module_kind;             /* FINAL: the last norm. OTHER: theirs, not run here */
typedef struct pf_module {
    char path[PF_PATH_MAX], ours[PF_NAME_MAX];               /* "vit.layers.0.attention.q_proj", "blocks.0.attn.q" */
    pf_module_kind kind;
    int64_t layer;                                           /* -1 outside the blocks */
    bool target, saved;                                      /* adapted; trained whole (modules_to_save) */
    int64_t rank; double alpha;                              /* LoRA's, of a target */
} pf_module;
typedef struct pf_modules { peft_context *ctx; pf_module *item; size_t count; } pf_modules;

peft_status pf_modules_make(const peft_backbone *b, const pf_peft_names *n, pf_modules *out);
void        pf_modules_free(pf_modules *m);
/* Naming and prefix from the names of an adapter's tensors. */
peft_status pf_peft_detect(const peft_backbone *b, const pf_st *st, pf_peft_names *out);
/* The tensor of the parameter `name`, e.g. blocks.0.attn.q.lora_A.weight; false: it has no name in this naming. */
bool pf_peft_key(const pf_peft_names *n, bool ln_tune, const char *name, char key[PF_PATH_MAX + 64]);

/* A parameter and its tensor in the file; the patch embedding is a convolution there. */
typedef struct pf_peft_entry { char key[PF_PATH_MAX + 64]; pf_param *param; int ndim; int64_t dim[4]; } pf_peft_entry;
typedef struct pf_peft_entries { peft_context *ctx; pf_peft_entry *item; size_t count; } pf_peft_entries;
/* head NULL: none */
peft_status pf_peft_entries_make(const peft_adapter *a, const pf_params *head, const pf_peft_names *n,
                                 pf_peft_entries *out);
void        pf_peft_entries_free(pf_peft_entries *e);

/* --- hf_config.c: adapter_config.json ---------------------------------------------------------------------------- */
typedef enum { PF_PEFT_LORA, PF_PEFT_IA3, PF_PEFT_LN, PF_PEFT_TYPES } pf_peft_type;
extern const struct pf_peft_kind { const char *type, *method; } pf_peft_kinds[PF_PEFT_TYPES];
typedef struct pf_peft_config { pf_peft_type type; json_t *root; } pf_peft_config;
/* Every field known, of the right type, and of a value this library can follow. */
peft_status pf_peft_config_read(peft_context *ctx, const char *dir, pf_peft_config *out);
void        pf_peft_config_free(pf_peft_config *c);

/* --- hf_select.c ------------------------------------------------------------------------------------------------- */
/* Marks targets and saved modules, with rank and alpha. */
peft_status pf_peft_select(const pf_peft_config *c, pf_modules *m);

/* --- hf_options.c ------------------------------------------------------------------------------------------------ */
/* The options that make the method adapt just these targets. */
peft_status pf_peft_options(const pf_peft_config *c, const peft_backbone *b, const pf_modules *m, peft_options **out);

/* --- hf_config_write.c ------------------------------------------------------------------------------------------- */
/* adapter_config.json of an adapter; m gets its marks. head: the classifier is saved too. */
peft_status pf_peft_config_make(const peft_adapter *a, pf_peft_type type, bool head, pf_modules *m, json_t **out);
#endif
