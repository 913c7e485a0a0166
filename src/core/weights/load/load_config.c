/* SPDX-License-Identifier: Apache-2.0
 * load_config.c -- finds and reads the configuration files beside the weights. The files are not trusted: too many
 * bytes, too deep nesting, repeated keys and values of a wrong type are refused. A file's content, not its name,
 * decides which library wrote it. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/format/folder.h"
#include "core/base/json_text.h"
#include "core/base/tensor.h"
#include "core/weights/load/load.h"

enum { DEPTH_MAX = 32 };                                /* of nested objects and lists */

/* The object of the file that describes an image processor of Hugging Face, which is the whole file (top) or its member
 * "image_processor"; NULL: there is none. */
static const json_t *find_processor(const json_t *top)
{
    static const char *const keys[] = { "image_processor_type", "feature_extractor_type", "image_mean", "do_normalize",
                                        "do_resize" };
    const json_t *inner = pf_json_get(top, "image_processor");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) if (json_object_get(top, keys[i])) return top;
    return json_is_object(inner) ? inner : NULL;
}

/* The class of the image processor for the model_type that a file read before has stated; NULL: unknown. pf_arch_of
 * looks a model_type up only if it is given no architecture of timm. */
static const char *usual_processor(const pf_loader *l, const pf_config *c)
{
    const char *no_architecture = NULL;
    return pf_arch_of(l->families, no_architecture, pf_config_get(c, "model_type")).facts.processor;
}

/* Reads the facts of one file. Of several files that state the preprocessing the first one counts. */
static peft_status read_content(const pf_loader *l, const json_t *top, const char *path, pf_config *c)
{
    const char *slash = strrchr(path, '/');
    const json_t *image_processor = find_processor(top), *cfg = pf_json_get(top, "pretrained_cfg");
    pf_grid side;
    pf_options_sides(l->o, pf_backbone_load_options, "image_size", &side.h, &side.w);
    if (image_processor && c->prep.stated) return PEFT_OK;
    if (image_processor) return pf_prep_hf(image_processor, usual_processor(l, c), &c->prep);
    snprintf(c->source, sizeof c->source, "%s", slash ? slash + 1 : path);
    if (pf_is_open_clip(top)) return pf_open_clip_read(top, c);
    PF_TRY(pf_facts_read(top, c));
    PF_TRY(pf_labels_read(top, c));
    return pf_is_timm(top) && !c->prep.stated ? pf_prep_timm(json_is_object(cfg) ? cfg : top, side, &c->prep) : PEFT_OK;
}

/* Parses the n bytes at json and reads the object in them. path: for its name and for messages. */
static peft_status parse(const pf_loader *l, const char *json, size_t n, const char *path, pf_config *c)
{
    json_t *top;
    PF_TRY(pf_json_parse_config(json, n, DEPTH_MAX, &top));
    peft_status s = json_is_object(top) ? read_content(l, top, path, c)
                                        : pf_fail(PEFT_E_FORMAT, "expected an object");
    json_decref(top);
    return s;
}

/* Reads one file, and warns if it states a preprocessing that this library cannot do. */
static peft_status read_one(const pf_loader *l, const char *path, pf_config *c)
{
    pf_map *m;
    const bool stated_before = c->prep.stated;          /* by another file */
    PF_TRY(pf_map_read(l->ctx, path, PF_WHOLE_FILE, &m));
    peft_status s = parse(l, (const char *)pf_map_data(m), pf_map_size(m), path, c);
    pf_map_close(m);
    if (s) return pf_prefix_error(s, "%s", path);
    if (!stated_before && *c->prep.inexpressible)
        pf_warn(l->ctx, "%s: %s: this library cannot prepare pictures in this way, so the backbone has no note "
                "\"preprocess\"; state the preprocessing yourself (size, resize, crop_pct, interpolation, mean, "
                "std)", path, c->prep.inexpressible);
    return PEFT_OK;
}

/* Reads the file `name` of the folder, if it exists. */
static peft_status read_if_there(const pf_loader *l, const char *folder, const char *name, pf_config *c, bool *exists)
{
    char *path = pf_path_join(l->ctx, folder, name);
    if (!path) return PEFT_E_NOMEM;
    *exists = !access(path, F_OK);
    peft_status s = *exists ? read_one(l, path, c) : PEFT_OK;
    pf_free(l->ctx, path);
    return s;
}

/* A folder may hold the same model in the formats of several libraries, each with its own configuration file. If the
 * naming of the weights has such a file (pf_naming.config_file) and it exists, the others are not read. The file may
 * describe a part of a larger model only (config_file_prefix "trunk."): it then counts if the tensors were found under
 * a prefix that contains this. */
static peft_status read_folder(const pf_loader *l, const char *folder, pf_config *c)
{
    static const char *const names[] = { "config.json", "processor_config.json", "preprocessor_config.json" };
    bool exists = false;
    const char *own = l->naming->config_file, *prefix = l->naming->config_file_prefix;
    if (own && (!prefix || strstr(l->prefix, prefix))) PF_TRY(read_if_there(l, folder, own, c, &exists));
    if (exists) return PEFT_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        PF_TRY(read_if_there(l, folder, names[i], c, &exists));
    return PEFT_OK;
}

/* Reads the configuration files in the folder of the weights. */
static peft_status read_beside(const pf_loader *l, const char *weights, pf_config *c)
{
    const char *slash = strrchr(weights, '/'), *from = slash ? weights : ".";
    const size_t n = slash > weights ? (size_t)(slash - weights) : 1;      /* "/" and "." have one character */
    char *folder = pf_alloc(l->ctx, n + 1);
    if (!folder) return pf_nomem("the folder's name", n + 1);
    memcpy(folder, from, n);
    folder[n] = 0;
    peft_status s = read_folder(l, folder, c);
    pf_free(l->ctx, folder);
    return s;
}

/* Reads the file or folder that the caller named; it must state at least one fact. */
static peft_status read_named(const pf_loader *l, const char *path, pf_config *c)
{
    struct stat st;
    PF_TRY(!stat(path, &st) && S_ISDIR(st.st_mode) ? read_folder(l, path, c) : read_one(l, path, c));
    bool stated = c->prep.stated;
    for (int i = 0; i < PF_FACTS; i++) stated |= *c->fact[i] != 0;
    if (stated) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "config: '%s' states nothing about a network: expected config.json (timm, Hugging "
                   "Face), open_clip_config.json, preprocessor_config.json, processor_config.json, or their folder",
                   path);
}

peft_status pf_config_read(const pf_loader *l, const char *weights, pf_config *c)
{
    const char *option = pf_options_string(l->o, pf_backbone_load_options, "config");
    if (!strcmp(option, "none")) return PEFT_OK;
    if (strcmp(option, "auto")) return read_named(l, option, c);
    return weights ? read_beside(l, weights, c) : PEFT_OK;
}
