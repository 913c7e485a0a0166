/* SPDX-License-Identifier: Apache-2.0
 * config.h -- reads the JSON files beside the weights: config.json (of Hugging Face or timm), open_clip_config.json,
 * preprocessor_config.json and processor_config.json. They state facts of the network, how its pictures are prepared,
 * and the names of its classes. */
#ifndef PF_CONFIG_H
#define PF_CONFIG_H
#include <jansson.h>
#include "core/base/context.h"
#include "core/describe/prep.h"
#include "core/format/json_value.h"

enum { PF_FACT_MAX = 96, PF_FACTS = 19 };
typedef struct pf_config {
    char fact[PF_FACTS][PF_FACT_MAX];    /* "" where no file states it */
    char source[PF_FACT_MAX];            /* name of the file that the facts are from */
    pf_prep prep;
    char *class_names;                   /* one a line, from malloc; NULL: none */
} pf_config;

/* A fact as text; NULL: no file states it. Facts under the names of the load options: "eps", "heads", "act", "pool",
 * "patch", "image_size". Others: "width", "depth", "registers"; "qkv_bias", "no_embed_class", "fc_norm" (true or
 * false); "model_type", "architectures" (its first entry); of timm "architecture", "act_layer" and "norm_layer" as
 * written, and "notes" (its first entry). */
const char *pf_config_get(const pf_config *c, const char *fact);
void        pf_config_set(pf_config *c, const char *fact, const char *text);
void        pf_config_free(pf_config *c);

/* --- config_facts.c, config_open_clip.c, config_labels.c ---------------------------------------------------------- */
bool        pf_is_timm(const json_t *top);                              /* a config.json that timm wrote */
bool        pf_is_open_clip(const json_t *top);
peft_status pf_facts_read(const json_t *top, pf_config *c);             /* Hugging Face's and timm's config.json */
peft_status pf_open_clip_read(const json_t *top, pf_config *c);         /* facts and the preparation */
/* Reads the class names: id2label, else label_names. */
peft_status pf_labels_read(const json_t *top, pf_config *c);
#endif
