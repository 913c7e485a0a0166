/* SPDX-License-Identifier: Apache-2.0
 * config_labels.c -- reads the names of the classifier's outputs: id2label of Hugging Face, label_names of timm. */
#include <stdlib.h>
#include <string.h>
#include "core/describe/config.h"

/* Label i of a list, or of an object with the keys "0", "1", ..; NULL: there is none, or it is empty or has a line
 * break. */
static const char *name_of(const json_t *labels, size_t i)
{
    char key[24];
    snprintf(key, sizeof key, "%zu", i);
    const char *s = json_string_value(json_is_array(labels) ? json_array_get(labels, i) : json_object_get(labels, key));
    return s && *s && !strpbrk(s, "\r\n") ? s : NULL;
}

/* Is name LABEL_i, which Hugging Face writes if the classes have no names? */
static bool is_placeholder(const char *name, size_t i)
{
    char placeholder[32];
    snprintf(placeholder, sizeof placeholder, "LABEL_%zu", i);
    return !strcmp(name, placeholder);
}

/* Writes why name i cannot be used. */
static void explain(const json_t *labels, const char *key, size_t i, pf_config *c)
{
    char number[24], shown[PF_JSON_SHOWN];
    snprintf(number, sizeof number, "%zu", i);
    const json_t *v = json_is_array(labels) ? json_array_get(labels, i) : json_object_get(labels, number);
    if (v) snprintf(c->no_names, sizeof c->no_names, "%s: name %zu is %s, expected one line of text", key, i,
                    pf_json_show(v, shown));
    else snprintf(c->no_names, sizeof c->no_names, "%s: there is no name \"%zu\", expected names from 0 without a gap",
                  key, i);
}

/* A list with an invalid name, which c->no_names tells, or of placeholders only, is left out. */
peft_status pf_labels_read(const json_t *top, pf_config *c)
{
    const json_t *labels = pf_json_get(top, "id2label"), *cfg = pf_json_get(top, "pretrained_cfg");
    const char *key = labels ? "id2label" : "label_names";
    if (!labels) labels = pf_json_get(top, "label_names");
    if (!labels) labels = pf_json_get(cfg, "label_names");
    const size_t n = json_is_array(labels) ? json_array_size(labels) : json_object_size(labels);
    size_t bytes = 0, placeholders = 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = name_of(labels, i);
        if (!name) {
            if (!c->class_names) explain(labels, key, i, c);
            return PEFT_OK;
        }
        placeholders += is_placeholder(name, i);
        bytes += strlen(name) + 1;
    }
    if (c->class_names || placeholders == n) return PEFT_OK;
    char *to = c->class_names = malloc(bytes);
    if (!to) return pf_nomem("class names", bytes);
    for (size_t i = 0; i < n; i++) {
        const char *name = name_of(labels, i);
        const size_t length = strlen(name);
        memcpy(to, name, length);
        to += length;
        *to++ = i + 1 < n ? '\n' : 0;
    }
    return PEFT_OK;
}

void pf_config_free(pf_config *c) { free(c->class_names); }
