/* SPDX-License-Identifier: Apache-2.0
 * config.h -- reads the JSON files beside a checkpoint: config.json (of Hugging Face or timm), open_clip_config.json,
 * preprocessor_config.json and processor_config.json. They state facts of the network, the preprocessing of its
 * pictures and the names of its classes. Loading a backbone uses it (weights/load/load_config.c). */
#ifndef PF_CONFIG_H
#define PF_CONFIG_H
#include <jansson.h>
#include "core/base/context.h"
#include "core/describe/prep.h"
#include "core/format/json_value.h"

enum { PF_FACT_MAX = 96, PF_FACTS = 39 };
typedef struct pf_config {
    char fact[PF_FACTS][PF_FACT_MAX];    /* by the index of its name in config_facts.c; "": no file states it */
    char source[PF_FACT_MAX];            /* name of the file that the facts were read from */
    pf_prep prep;
    char *class_names;                   /* one a line, allocated by malloc; NULL: none */
    char no_names[128];                  /* why class names that the file has are left out; "": they are not */
} pf_config;

/* A fact as text; NULL: no file states it. Some have the name and values of a load option: "eps", "heads", "act",
 * "pool", "patch", "image_size", "pool_heads", "pool_eps". Numbers: "width", "depth", "registers", "intermediate_size".
 * true or false: "qkv_bias", "no_embed_class", "fc_norm", "final_norm", "pool_all", and of timm's Eva
 * "use_post_transformer_norm", "use_fc_norm", "use_rot_pos_emb", "rope_rotate_half"; its rotary positions: "rope_type",
 * "rope_temperature", "rope_grid_offset", "rope_grid_indexing", "ref_feat_shape"; of Hugging Face's DINOv3
 * "use_gated_mlp", "query_bias", "key_bias", "value_bias", "proj_bias", "mlp_bias". As the file has them: "model_type",
 * "problem_type", "architectures" (first entry), and timm's "architecture", "act_layer", "norm_layer", "notes" (first
 * entry). */
const char *pf_config_get(const pf_config *c, const char *fact);
/* Sets a fact by its name, which is one of those above; a text that is too long is cut off. */
void        pf_config_set(pf_config *c, const char *fact, const char *text);
void        pf_config_free(pf_config *c);

/* --- config_facts.c, config_open_clip.c, config_labels.c ---------------------------------------------------------- */
/* top: the object that the whole file is. */
bool        pf_is_timm(const json_t *top);                              /* a config.json that timm wrote */
bool        pf_is_open_clip(const json_t *top);
peft_status pf_facts_read(const json_t *top, pf_config *c);             /* Hugging Face's and timm's config.json */
peft_status pf_open_clip_read(const json_t *top, pf_config *c);         /* facts and preprocessing */
/* Reads the class names: id2label, else label_names. */
peft_status pf_labels_read(const json_t *top, pf_config *c);
#endif
