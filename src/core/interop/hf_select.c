/* SPDX-License-Identifier: Apache-2.0
 * hf_select.c -- finds the modules that a configuration adapts or saves, and their rank and alpha, by PEFT's rules. */
#include <stdio.h>
#include <string.h>
#include "core/format/json_value.h"
#include "core/interop/hf_dir.h"

/* Does target_modules, exclude_modules or feedforward_modules (names: a list, a pattern or "all-linear"; NULL: nothing)
 * match the module? */
static peft_status matches(const json_t *names, const pf_module *m, bool *matched)
{
    size_t i;
    json_t *v;
    *matched = false;
    if (!names) return PEFT_OK;
    if (json_is_string(names)) {
        if (strcmp(json_string_value(names), "all-linear"))
            return pf_peft_match_whole(json_string_value(names), m->path, matched);
        *matched = m->kind == PF_MODULE_LINEAR || (m->kind == PF_MODULE_FIXED && !strstr(m->path, "norm"));
        return PEFT_OK;
    }
    json_array_foreach(names, i, v) if (pf_path_ends_with(m->path, json_string_value(v))) *matched = true;
    return PEFT_OK;
}

/* Is the end of path in the list? As in PEFT, the end need not begin after a dot. */
static bool ends_with_listed(const json_t *list, const char *path)
{
    size_t i, n = strlen(path);
    json_t *v;
    json_array_foreach(list, i, v) {
        size_t tail = json_string_length(v);
        if (tail && tail <= n && !strcmp(path + n - tail, json_string_value(v))) return true;
    }
    return false;
}

/* Does layers_pattern match the name before the layer's number, "layer" in encoder.layer.3.output.dense? */
static bool layers_pattern_fits(const json_t *pattern, const pf_module *m)
{
    char number[24], text[PF_PATH_MAX];
    size_t i;
    json_t *v;
    snprintf(number, sizeof number, ".%lld.", (long long)m->layer);
    snprintf(text, sizeof text, "%s", m->path);
    char *end = strstr(text, number);
    if (end) *end = 0;
    if (!pattern) return true;
    if (json_is_string(pattern))
        return !json_string_length(pattern) || pf_path_ends_with(text, json_string_value(pattern));
    json_array_foreach(pattern, i, v) if (pf_path_ends_with(text, json_string_value(v))) return true;
    return !json_array_size(pattern);
}

/* Does layers_to_transform select the module's layer? A target that is listed by its full path is always selected. */
static bool layer_chosen(const pf_peft_config *c, const pf_module *m)
{
    const json_t *layers = pf_json_get(c->root, "layers_to_transform");
    size_t i;
    json_t *v;
    if (!layers || (json_is_array(layers) && !json_array_size(layers))) return true;
    const json_t *targets = pf_json_get(c->root, "target_modules");
    json_array_foreach(targets, i, v) if (!strcmp(json_string_value(v), m->path)) return true;
    if (m->layer < 0 || !layers_pattern_fits(pf_json_get(c->root, "layers_pattern"), m)) return false;
    if (json_is_integer(layers)) return json_integer_value(layers) == m->layer;
    json_array_foreach(layers, i, v) if (json_integer_value(v) == m->layer) return true;
    return false;
}

/* Warns if a text of the field's list matches no module, or a key of its object no adapted module: as in PEFT it has no
 * effect, but it may be misspelt. Of the two loops one runs: jansson's macros do nothing for a value of another type.
 * */
static peft_status check_all_match(const pf_peft_config *c, const char *field, const pf_modules *m)
{
    const json_t *names = pf_json_get(c->root, field);
    const char *key;
    json_t *v;
    size_t i;
    json_array_foreach(names, i, v) {
        bool matched = false;
        for (size_t k = 0; k < m->count && !matched; k++)
            matched = pf_path_ends_with(m->item[k].path, json_string_value(v));
        if (!matched)
            pf_warn(m->ctx, "field '%s': '%.100s' matches no module of the backbone", field, json_string_value(v));
    }
    json_object_foreach((json_t *)(uintptr_t)names, key, v) {
        bool matched = false;
        for (size_t k = 0; k < m->count && !matched; k++)
            if (m->item[k].target) PF_TRY(pf_peft_match_end(key, m->item[k].path, &matched));
        if (!matched) pf_warn(m->ctx, "field '%s': '%.100s' matches no adapted module", field, key);
    }
    return PEFT_OK;
}

/* Sets *value to the number of the first pattern of the field that matches the module; else *value stays. */
static peft_status read_pattern(const pf_peft_config *c, const char *field, const pf_module *m, double *value)
{
    const char *key;
    json_t *v;
    bool matched;
    json_object_foreach((json_t *)(uintptr_t)pf_json_get(c->root, field), key, v) {
        PF_TRY(pf_peft_match_end(key, m->path, &matched));
        if (!matched) continue;
        *value = json_number_value(v);
        return PEFT_OK;
    }
    return PEFT_OK;
}

/* Refuses a number outside the bounds of the option that it becomes. module: its path; "": a field of the whole
 * adapter. */
static peft_status check_number(const char *module, const char *fields, double value, double low, double high)
{
    char given[32], least[32], most[32];
    if (value >= low && value <= high) return PEFT_OK;
    pf_print_float(given, sizeof given, value);
    pf_print_float(least, sizeof least, low);
    pf_print_float(most, sizeof most, high);
    return pf_fail(PEFT_E_FORMAT, "%s%s%s: given %s, expected %s to %s", module, *module ? ": " : "", fields, given,
                   least, most);
}

/* Sets rank and alpha of all targets. The bounds are those of the options of method lora (src/methods/lora.c). */
static peft_status set_ranks(const pf_peft_config *c, pf_modules *m)
{
    const json_t *r = pf_json_get(c->root, "r"), *alpha = pf_json_get(c->root, "lora_alpha");
    const double usual_rank = r ? json_number_value(r) : PF_PEFT_DEFAULT_RANK;
    const double usual_alpha = alpha ? json_number_value(alpha) : PF_PEFT_DEFAULT_ALPHA;
    PF_TRY(check_number("", "field 'r'", usual_rank, 1, 4096));
    PF_TRY(check_number("", "field 'lora_alpha'", usual_alpha, 0, 1e6));
    PF_TRY(check_number("", "field 'lora_dropout'", json_number_value(pf_json_get(c->root, "lora_dropout")), 0, 0.99));
    for (size_t i = 0; i < m->count; i++) {
        pf_module *t = &m->item[i];
        double rank = usual_rank;
        if (!t->target) continue;
        t->alpha = usual_alpha;
        PF_TRY(read_pattern(c, "rank_pattern", t, &rank));
        PF_TRY(read_pattern(c, "alpha_pattern", t, &t->alpha));
        PF_TRY(check_number(t->path, "its alpha (alpha_pattern)", t->alpha, 0, 1e6));
        if (!(rank >= 1 && rank <= 4096) || rank != (double)(int64_t)rank) {
            char given[32];
            pf_print_float(given, sizeof given, rank);
            return pf_fail(PEFT_E_FORMAT, "module '%s': its rank (r, rank_pattern) is %s, expected a whole number from "
                           "1 to 4096", t->path, given);
        }
        t->rank = (int64_t)rank;
        if (t->kind == PF_MODULE_ATTENTION && !strcmp(pf_module_stem(t->ours), "attn.proj"))
            t->alpha *= PF_OUT_PROJ_TIMES;
    }
    PF_TRY(check_all_match(c, "rank_pattern", m));
    return check_all_match(c, "alpha_pattern", m);
}

/* Which modules an adapter of this type can adapt here. A classifier's adapter becomes part of the head. */
static bool can_adapt(pf_peft_type type, pf_module_kind kind)
{
    const bool norm = kind == PF_MODULE_NORM || kind == PF_MODULE_FINAL;
    const bool linear_only = type == PF_PEFT_VERA || type == PF_PEFT_OFT;
    if (kind == PF_MODULE_FIXED || (kind == PF_MODULE_ATTENTION && type != PF_PEFT_LORA)) return false;
    return type == PF_PEFT_LN ? norm : !norm && !(linear_only && kind == PF_MODULE_CONV);
}

/* Sets target, saved and forward of a module. */
static peft_status mark_module(const pf_peft_config *c, pf_module *m)
{
    const pf_module_kind kind = m->kind;
    const char *type = pf_peft_kinds[c->type].type;
    const json_t *forward = pf_json_get(c->root, "feedforward_modules");
    bool excluded, target;
    m->saved = kind != PF_MODULE_OTHER && ends_with_listed(pf_json_get(c->root, "modules_to_save"), m->path);
    if (m->saved && kind != PF_MODULE_HEAD && !(kind == PF_MODULE_FINAL && c->type == PF_PEFT_LORA))
        return pf_fail(PEFT_E_UNSUPPORTED,
                       "field 'modules_to_save': module '%s' cannot be saved whole with peft_type %s", m->path, type);
    PF_TRY(matches(pf_json_get(c->root, "target_modules"), m, &target));
    PF_TRY(matches(pf_json_get(c->root, "exclude_modules"), m, &excluded));
    m->target = target && !excluded && !m->saved && kind != PF_MODULE_OTHER && layer_chosen(c, m);
    if (m->target && json_is_string(forward)) PF_TRY(matches(forward, m, &m->forward));
    else if (m->target) m->forward = ends_with_listed(forward, m->path);
    if (m->target && !can_adapt(c->type, kind))
        return pf_fail(PEFT_E_UNSUPPORTED, "field 'target_modules': module '%s'%s cannot be adapted with peft_type "
                       "%s%s", m->path, kind == PF_MODULE_FIXED ? " of attention pooling" : "", type,
                       kind == PF_MODULE_FIXED ? "; expected an adapter without it (PEFT: exclude_modules, or a "
                       "pattern that names the blocks)" : "");
    if (m->forward && kind == PF_MODULE_CONV)
        return pf_fail(PEFT_E_UNSUPPORTED, "field 'feedforward_modules': the input of module '%s', pixels, cannot be "
                       "scaled", m->path);
    return PEFT_OK;
}

/* Marks the modules, and refuses a selection that this library's method cannot make. */
peft_status pf_peft_select(const pf_peft_config *c, pf_modules *m)
{
    size_t targets = 0;
    for (size_t i = 0; i < m->count; i++) {
        PF_TRY(mark_module(c, &m->item[i]));
        targets += m->item[i].target;
    }
    PF_TRY(check_all_match(c, "target_modules", m));
    if (!targets) return pf_fail(PEFT_E_FORMAT, "field 'target_modules': no module of the backbone is adapted");
    return c->type == PF_PEFT_LORA ? set_ranks(c, m) : PEFT_OK;
}
