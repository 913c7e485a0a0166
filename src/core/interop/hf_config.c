/* SPDX-License-Identifier: Apache-2.0
 * hf_config.c -- reads adapter_config.json. A field that changes the computation in a way that this library does not
 * support is refused by name; so is a field that it does not know, unless it is null, false or empty. */
#include <string.h>
#include "core/format/folder.h"
#include "core/base/json_text.h"
#include "core/format/json_value.h"
#include "core/interop/hf_dir.h"

#define DEPTH_MAX 16

const struct pf_peft_kind pf_peft_kinds[PF_PEFT_TYPES] = {
    [PF_PEFT_LORA] = { "LORA", "lora" }, [PF_PEFT_IA3] = { "IA3", "ia3" }, [PF_PEFT_LN] = { "LN_TUNING", "ln_tune" } };

/* Bits of field.types. */
#define LORA (1u << PF_PEFT_LORA)
#define IA3  (1u << PF_PEFT_IA3)
#define LN   (1u << PF_PEFT_LN)
#define ANY  (LORA | IA3 | LN)

/* The fields that are read, the PEFT types that have them, and the values allowed besides null, one letter each: s
 * text, l list of texts, i integer, I list of integers, n number, b boolean, m object of numbers, = one of the texts in
 * `values`, * anything, as it does not change the computation. Any other field must be null, false or empty. */
static const struct field { const char *name; unsigned types; const char *allowed, *values[6]; } fields[] = {
    { "peft_type", ANY, "s", { 0 } }, { "target_modules", ANY, "sl", { 0 } }, { "exclude_modules", ANY, "sl", { 0 } },
    { "modules_to_save", ANY, "l", { 0 } },
    { "r", LORA, "i", { 0 } }, { "lora_alpha", LORA, "n", { 0 } }, { "lora_dropout", LORA, "n", { 0 } },
    { "use_rslora", LORA, "b", { 0 } }, { "use_dora", LORA, "b", { 0 } },
    { "layers_to_transform", LORA, "iI", { 0 } }, { "layers_pattern", LORA, "sl", { 0 } },
    { "rank_pattern", LORA, "m", { 0 } }, { "alpha_pattern", LORA, "m", { 0 } },
    { "bias", LORA, "=", { "none" } },
    { "init_lora_weights", LORA, "b=", { "gaussian", "eva", "orthogonal", "true", "false" } },
    { "eva_config", LORA, "*", { 0 } },                      /* concerns initial values only */
    { "megatron_core", LORA, "=", { "megatron.core" } }, { "qalora_group_size", LORA, "i", { 0 } },
    { "feedforward_modules", IA3, "sl", { 0 } }, { "init_ia3_weights", IA3, "b", { 0 } },
    { "task_type", ANY, "*", { 0 } }, { "base_model_name_or_path", ANY, "*", { 0 } }, { "revision", ANY, "*", { 0 } },
    { "peft_version", ANY, "*", { 0 } }, { "auto_mapping", ANY, "*", { 0 } }, { "inference_mode", ANY, "*", { 0 } },
    { "runtime_config", ANY, "*", { 0 } }, { 0 } };

/* Are all elements texts, or else integers? */
static bool all_are(const json_t *list, bool texts)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v) if (texts ? !json_is_string(v) : !json_is_integer(v)) return false;
    return true;
}

static bool numbers(const json_t *object)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v) if (!json_is_number(v)) return false;
    return true;
}

static bool fits(const struct field *f, const json_t *v)
{
    for (const char *kind = f->allowed; *kind; kind++) {
        if (*kind == '*' || (*kind == 's' && json_is_string(v)) || (*kind == 'i' && json_is_integer(v))) return true;
        if ((*kind == 'n' && json_is_number(v)) || (*kind == 'b' && json_is_boolean(v))) return true;
        if (json_is_array(v) && (*kind == 'l' || *kind == 'I') && all_are(v, *kind == 'l')) return true;
        if (*kind == 'm' && json_is_object(v) && numbers(v)) return true;
        for (int i = 0; *kind == '=' && json_is_string(v) && i < 6 && f->values[i]; i++)
            if (!strcmp(json_string_value(v), f->values[i])) return true;
    }
    return false;
}

static bool empty(const json_t *v)
{
    return json_is_null(v) || json_is_false(v) || (json_is_string(v) && !json_string_length(v))
        || (json_is_array(v) && !json_array_size(v)) || (json_is_object(v) && !json_object_size(v));
}

static peft_status check_field(const pf_peft_config *c, const char *name, const json_t *v)
{
    char text[PF_JSON_SHOWN];
    const struct field *f = fields;
    while (f->name && !(strcmp(f->name, name) == 0 && f->types >> c->type & 1)) f++;
    if (f->name ? json_is_null(v) || fits(f, v) : empty(v)) return PEFT_OK;
    pf_json_show(v, text);
    if (f->name && !strchr(f->allowed, '='))
        return pf_fail(PEFT_E_FORMAT, "field '%s': %s is not of the type that it has in %s configurations", name, text,
                       pf_peft_kinds[c->type].type);
    return pf_fail(PEFT_E_UNSUPPORTED, "field '%.100s': %s is not supported with peft_type %s", name, text,
                   pf_peft_kinds[c->type].type);
}

static peft_status check_type(pf_peft_config *c)
{
    const char *type = json_string_value(json_object_get(c->root, "peft_type"));
    if (!type)
        return pf_fail(PEFT_E_FORMAT, "field 'peft_type' is missing or no text: expected LORA, IA3 or LN_TUNING");
    for (c->type = 0; c->type < PF_PEFT_TYPES; c->type++)
        if (!strcmp(pf_peft_kinds[c->type].type, type)) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "field 'peft_type': given '%.60s', expected LORA, IA3 or LN_TUNING", type);
}

static peft_status check(pf_peft_config *c)
{
    const char *name;
    json_t *v;
    if (!json_is_object(c->root)) return pf_fail(PEFT_E_FORMAT, "expected one JSON object");
    PF_TRY(check_type(c));
    json_object_foreach(c->root, name, v) PF_TRY(check_field(c, name, v));
    const json_t *targets = pf_json_get(c->root, "target_modules");
    const json_t *layers = pf_json_get(c->root, "layers_to_transform");
    if (!targets || empty(targets))
        return pf_fail(PEFT_E_FORMAT, "field 'target_modules' is missing or empty: expected a list or a pattern");
    if (json_is_string(targets) && layers && !empty(layers))
        return pf_fail(PEFT_E_FORMAT, "field 'layers_to_transform': cannot be used with target_modules as a pattern");
    return PEFT_OK;
}

peft_status pf_peft_config_read(peft_context *ctx, const char *dir, pf_peft_config *out)
{
    pf_peft_config c = { .root = NULL };
    pf_map *map;
    char *path = pf_path_join(ctx, dir, PF_PEFT_CONFIG);
    if (!path) return PEFT_E_NOMEM;
    peft_status s = pf_map_read(ctx, path, PF_WHOLE_FILE, &map);
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
