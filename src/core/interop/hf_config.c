/* SPDX-License-Identifier: Apache-2.0
 * hf_config.c -- reads adapter_config.json. A field that changes the computation in a way that this library does not
 * support is refused by name; so is a field that it does not know, unless it is null, false or empty. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "core/format/folder.h"
#include "core/base/json_text.h"
#include "core/format/json_value.h"
#include "core/interop/hf_dir.h"

#define DEPTH_MAX 16                                         /* of nested objects and lists */

const struct pf_peft_kind pf_peft_kinds[PF_PEFT_TYPES] = {
    [PF_PEFT_LORA] = { "LORA", "lora" }, [PF_PEFT_IA3] = { "IA3", "ia3" }, [PF_PEFT_LN] = { "LN_TUNING", "ln_tune" },
    [PF_PEFT_VERA] = { "VERA", "vera" }, [PF_PEFT_OFT] = { "OFT", "oft" } };

/* Bits of field.types. */
#define LORA (1u << PF_PEFT_LORA)
#define IA3  (1u << PF_PEFT_IA3)
#define LN   (1u << PF_PEFT_LN)
#define VERA (1u << PF_PEFT_VERA)
#define OFT  (1u << PF_PEFT_OFT)
#define ANY  (LORA | IA3 | LN | VERA | OFT)

enum { VALUES_MAX = 6 };
/* The fields that are read, the PEFT types that have them, and the values allowed besides null, one letter each: s
 * text, l list of texts, i integer, I list of integers, n number, b boolean, m object of numbers, = one of the texts in
 * `values`, * anything, as it does not change the computation. With ! null is refused, as by PEFT. Any other field must
 * be null, false or empty. */
static const struct field { const char *name; unsigned types; const char *allowed, *values[VALUES_MAX]; } fields[] = {
    { "peft_type", ANY, "s", { 0 } }, { "target_modules", ANY, "sl", { 0 } }, { "exclude_modules", ANY, "sl", { 0 } },
    { "modules_to_save", ANY, "l", { 0 } },
    { "r", LORA, "i!", { 0 } }, { "r", VERA | OFT, "i", { 0 } }, { "lora_alpha", LORA, "n!", { 0 } },
    { "lora_dropout", LORA, "n!", { 0 } },
    { "use_rslora", LORA, "b", { 0 } }, { "use_dora", LORA, "b", { 0 } },
    { "layers_to_transform", LORA | VERA | OFT, "iI", { 0 } }, { "layers_pattern", LORA | VERA | OFT, "sl", { 0 } },
    { "rank_pattern", LORA, "m", { 0 } }, { "alpha_pattern", LORA, "m", { 0 } },
    { "bias", LORA, "=", { "none", "lora_only", "all" } }, { "bias", VERA | OFT, "=", { "none" } },
    { "vera_dropout", VERA, "n", { 0 } }, { "d_initial", VERA, "n", { 0 } }, { "init_weights", VERA | OFT, "b", { 0 } },
    { "projection_prng_key", VERA, "i", { 0 } }, { "save_projection", VERA, "b", { 0 } },
    { "oft_block_size", OFT, "i", { 0 } }, { "block_share", OFT, "b", { 0 } },
    { "use_cayley_neumann", OFT, "b", { 0 } }, { "num_cayley_neumann_terms", OFT, "i", { 0 } },
    { "module_dropout", OFT, "*", { 0 } }, { "eps", OFT, "*", { 0 } },         /* of training; of coft, refused */
    { "init_lora_weights", LORA, "b=", { "gaussian", "eva", "orthogonal", "true", "false" } },
    { "eva_config", LORA, "*", { 0 } },                      /* concerns initial values only */
    { "megatron_core", LORA, "=", { "megatron.core" } }, { "qalora_group_size", LORA, "i", { 0 } },
    { "feedforward_modules", IA3, "sl", { 0 } }, { "init_ia3_weights", IA3, "b", { 0 } },
    { "task_type", ANY, "*", { 0 } }, { "base_model_name_or_path", ANY, "*", { 0 } }, { "revision", ANY, "*", { 0 } },
    { "peft_version", ANY, "*", { 0 } }, { "auto_mapping", ANY, "*", { 0 } }, { "inference_mode", ANY, "*", { 0 } },
    { "runtime_config", ANY, "*", { 0 } }, { 0 } };

/* Are all elements of the type: s texts, i integers? */
static bool all_are(const json_t *list, char type)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v) if (type == 's' ? !json_is_string(v) : !json_is_integer(v)) return false;
    return true;
}

/* Are all members numbers? */
static bool all_numbers(const json_t *object)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v) if (!json_is_number(v)) return false;
    return true;
}

/* Is v one of the values that f allows? */
static bool is_allowed(const struct field *f, const json_t *v)
{
    for (const char *kind = f->allowed; *kind; kind++) {
        if (*kind == '*' || (*kind == 's' && json_is_string(v)) || (*kind == 'i' && json_is_integer(v))) return true;
        if ((*kind == 'n' && json_is_number(v)) || (*kind == 'b' && json_is_boolean(v))) return true;
        if (*kind == 'l' && json_is_array(v) && all_are(v, 's')) return true;
        if (*kind == 'I' && json_is_array(v) && all_are(v, 'i')) return true;
        if (*kind == 'm' && json_is_object(v) && all_numbers(v)) return true;
        for (int i = 0; *kind == '=' && json_is_string(v) && i < VALUES_MAX && f->values[i]; i++)
            if (!strcmp(json_string_value(v), f->values[i])) return true;
    }
    return false;
}

/* Null, false or empty: the field changes nothing. */
static bool is_unset(const json_t *v)
{
    return json_is_null(v) || json_is_false(v) || (json_is_string(v) && !json_string_length(v))
        || (json_is_array(v) && !json_array_size(v)) || (json_is_object(v) && !json_object_size(v));
}

/* Refuses a known field with a value that is not allowed, and an unknown field that is set. */
static peft_status check_field(const pf_peft_config *c, const char *name, const json_t *v)
{
    char text[PF_JSON_SHOWN];
    const struct field *f = fields;
    while (f->name && !(strcmp(f->name, name) == 0 && f->types >> c->type & 1)) f++;
    const bool null_allowed = f->name && !strchr(f->allowed, '!');
    if (f->name ? (json_is_null(v) && null_allowed) || is_allowed(f, v) : is_unset(v)) return PEFT_OK;
    pf_json_show(v, text);
    if (f->name && !strchr(f->allowed, '='))
        return pf_fail(PEFT_E_FORMAT, "field '%s': %s is not of the type that it has in %s configurations", name, text,
                       pf_peft_kinds[c->type].type);
    return pf_fail(PEFT_E_UNSUPPORTED, "field '%.100s': %s is not supported with peft_type %s%s", name, text,
                   pf_peft_kinds[c->type].type, strcmp(name, "init_lora_weights") ? "" : ", because it changes the "
                   "base weights: save the adapter in Python as a plain LoRA, by save_pretrained's argument "
                   "path_initial_model_for_weight_conversion");
}

/* The other methods of PEFT 0.21.2. */
static const char *const other_types[] = {
    "PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "ADALORA", "ADAMSS", "BOFT",
    "ADAPTION_PROMPT", "BEFT", "LILY", "LOHA", "LOKR", "POLY", "FROD", "PVERA", "FOURIERFT", "GLORA",
    "XLORA", "HRA", "VBLORA", "UNILORA", "CPT", "MISS", "RANDLORA", "ROAD", "TRAINABLE_TOKENS", "HIRA", "SHIRA", "C3A",
    "WAVEFT", "OSF", "DELORA", "GRALORA", "CARTRIDGE", "TINYLORA", "PSOFT", "PEANUT", "SHADOW", "SUPERTUNING", "DEFT" };

/* Sets c->type by the field peft_type. */
static peft_status read_type(pf_peft_config *c)
{
    const char *type = json_string_value(json_object_get(c->root, "peft_type"));
    if (!type)
        return pf_fail(PEFT_E_FORMAT, "field 'peft_type' is missing or no text: expected " PF_PEFT_TYPE_LIST);
    for (c->type = 0; c->type < PF_PEFT_TYPES; c->type++)
        if (!strcmp(pf_peft_kinds[c->type].type, type)) return PEFT_OK;
    for (size_t i = 0; i < sizeof other_types / sizeof *other_types; i++)
        if (!strcmp(other_types[i], type))
            return pf_fail(PEFT_E_UNSUPPORTED, "field 'peft_type': %s is a method of PEFT that this library does not "
                           "have: expected " PF_PEFT_TYPE_LIST, type);
    return pf_fail(PEFT_E_UNSUPPORTED, "field 'peft_type': given '%.60s', expected " PF_PEFT_TYPE_LIST, type);
}

pf_oft_numbers pf_oft_numbers_of(const pf_peft_config *c)
{
    const json_t *terms = pf_json_get(c->root, "num_cayley_neumann_terms");
    pf_oft_numbers x = { .terms = terms ? json_integer_value(terms) : PF_OFT_DEFAULT_TERMS };
    x.size = json_integer_value(pf_json_get(c->root, "oft_block_size"));
    x.blocks = json_integer_value(pf_json_get(c->root, "r"));
    x.share = json_is_true(pf_json_get(c->root, "block_share"));
    if (json_is_false(pf_json_get(c->root, "use_cayley_neumann"))) x.terms = 0;
    else if (x.terms < 1) x.terms = 1;                       /* the identity, as in PEFT */
    return x;
}

/* Refuses OFT of versions of PEFT that computed something else: before 0.15 it stored whole matrices, before 0.18 its
 * series had other terms. */
static peft_status check_oft(const pf_peft_config *c)
{
    const char *version = json_string_value(pf_json_get(c->root, "peft_version"));
    int major = 0, minor = 0;
    if (!pf_json_get(c->root, "oft_block_size"))
        return pf_fail(PEFT_E_UNSUPPORTED, "field 'oft_block_size' is missing: adapters of PEFT's first OFT, which "
                       "stored whole matrices, are not read (nor by PEFT since 0.15)");
    const bool parsed = version && sscanf(version, "%d.%d", &major, &minor) == 2;
    if (pf_oft_numbers_of(c).terms && !(parsed && (major || minor >= 18)))
        return pf_fail(PEFT_E_UNSUPPORTED, "field 'peft_version': given %.40s, expected 0.18 or later, as earlier "
                       "versions of OFT had another series (use_cayley_neumann)", version ? version : "none");
    return PEFT_OK;
}

/* Reads the type and checks all fields, alone and together. */
static peft_status check(pf_peft_config *c)
{
    const char *name;
    json_t *v;
    if (!json_is_object(c->root)) return pf_fail(PEFT_E_FORMAT, "expected one JSON object");
    PF_TRY(read_type(c));
    json_object_foreach(c->root, name, v) PF_TRY(check_field(c, name, v));
    const json_t *targets = pf_json_get(c->root, "target_modules");
    const json_t *layers = pf_json_get(c->root, "layers_to_transform");
    if (!targets || is_unset(targets))
        return pf_fail(PEFT_E_FORMAT, "field 'target_modules' is missing or empty: expected a list or a pattern");
    if (c->type == PF_PEFT_OFT) PF_TRY(check_oft(c));
    if (c->type == PF_PEFT_VERA && json_is_false(pf_json_get(c->root, "save_projection")))
        return pf_fail(PEFT_E_UNSUPPORTED, "field 'save_projection': false is not supported: the file lacks the "
                       "matrices vera_A and vera_B, which torch makes from a seed (PEFT: "
                       "VeraConfig(save_projection=True))");
    if (json_is_string(targets) && layers && !is_unset(layers))
        return pf_fail(PEFT_E_FORMAT, "field 'layers_to_transform': cannot be used with target_modules as a pattern");
    return PEFT_OK;
}

/* PEFT saves an adapter with a name of its own in a folder of that name: if dir has such a folder, adds it to the error
 * that dir's configuration cannot be read. */
static peft_status name_inner_folder(peft_context *ctx, const char *dir, peft_status s)
{
    DIR *d = opendir(dir);
    char found[PF_PATH_MAX] = "";
    for (struct dirent *e; d && !*found && (e = readdir(d));) {
        char *inner = *e->d_name == '.' ? NULL : pf_path_join(ctx, dir, e->d_name);
        char *config = inner ? pf_path_join(ctx, inner, PF_PEFT_CONFIG) : NULL;
        if (config && !access(config, F_OK)) snprintf(found, sizeof found, "%s", inner);
        pf_free(ctx, config);
        pf_free(ctx, inner);
    }
    if (d) closedir(d);
    return *found ? pf_fail(s, "no " PF_PEFT_CONFIG " in this folder; %s has one: expected that path", found)
                  : s;
}

peft_status pf_peft_config_read(peft_context *ctx, const char *dir, pf_peft_config *out)
{
    pf_peft_config c = { .root = NULL };
    pf_map *map;
    char *path = pf_path_join(ctx, dir, PF_PEFT_CONFIG);
    if (!path) return PEFT_E_NOMEM;
    peft_status s = pf_map_read(ctx, path, PF_WHOLE_FILE, &map);
    if (s && access(path, F_OK)) s = name_inner_folder(ctx, dir, s);
    pf_free(ctx, path);
    if (s) return s;
    s = pf_json_parse_config((const char *)pf_map_data(map), pf_map_size(map), DEPTH_MAX, &c.root);
    pf_map_close(map);
    if (!s) s = check(&c);
    if (!s) *out = c;
    else pf_peft_config_free(&c);
    return s ? pf_prefix_error(s, "%s/%s", dir, PF_PEFT_CONFIG) : PEFT_OK;
}

void pf_peft_config_free(pf_peft_config *c)
{
    json_decref(c->root);
    c->root = NULL;
}
