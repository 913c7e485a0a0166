/* SPDX-License-Identifier: Apache-2.0
 * hf_config_write.c -- makes adapter_config.json of an adapter: every field that PEFT has for its type, and as
 * target_modules the shortest names that match the adapted modules and no others. */
#include <stdio.h>
#include <string.h>
#include "core/format/json_value.h"
#include "core/interop/hf_dir.h"

/* Bits of PEFT types. */
#define LORA (1u << PF_PEFT_LORA)
#define IA3  (1u << PF_PEFT_IA3)
#define ALL  (LORA | IA3 | 1u << PF_PEFT_LN)

/* Fields that have the same value for every adapter of these types, and that value as JSON. */
static const struct { unsigned types; const char *name, *value; } plain[] = {
    { ALL, "task_type", "null" }, { ALL, "base_model_name_or_path", "null" }, { ALL, "revision", "null" },
    { ALL, "peft_version", "null" }, { ALL, "auto_mapping", "null" }, { ALL, "inference_mode", "true" },
    { ALL, "exclude_modules", "null" }, { LORA | IA3, "fan_in_fan_out", "false" },
    { IA3, "init_ia3_weights", "true" }, { LORA, "bias", "\"none\"" }, { LORA, "lora_bias", "false" },
    { LORA, "layers_to_transform", "null" }, { LORA, "layers_pattern", "null" },
    { LORA, "trainable_token_indices", "null" }, { LORA, "loftq_config", "{}" }, { LORA, "eva_config", "null" },
    { LORA, "corda_config", "null" }, { LORA, "lora_ga_config", "null" }, { LORA, "megatron_config", "null" },
    { LORA, "megatron_core", "\"megatron.core\"" }, { LORA, "layer_replication", "null" },
    { LORA, "target_parameters", "null" }, { LORA, "use_qalora", "false" }, { LORA, "qalora_group_size", "16" },
    { LORA, "velora_config", "null" }, { LORA, "monteclora_config", "null" },
    { LORA, "alora_invocation_tokens", "null" }, { LORA, "use_bdlora", "null" }, { LORA, "arrow_config", "null" },
    { LORA, "kasa_config", "null" }, { LORA, "ensure_weight_tying", "false" } };

/* adapter_config.json names a module by the end of its path, such as "q_proj", which may match other modules as well.
 * Before a name of the module `like` is written, a function of type judge says for each other module m whether the name
 * may match it too. For rank_pattern: YES if m has the same rank; NO if it has another one, so that a longer name is
 * needed, "layers.3.attention.q_proj"; EITHER if m is not adapted and has no rank. */
typedef enum { NO, YES, EITHER } verdict;
typedef verdict (*judge)(const pf_module *m, const pf_module *like);

/* The judges. is_target and is_forward are those of target_modules and feedforward_modules: lists of names, where a
 * name may match the modules of the list and no other. */
static verdict is_target(const pf_module *m, const pf_module *like) { return (void)like, m->target ? YES : NO; }
static verdict same_rank(const pf_module *m, const pf_module *like)
{
    return !m->target ? EITHER : m->rank == like->rank ? YES : NO;
}
static verdict same_alpha(const pf_module *m, const pf_module *like)
{
    return !m->target ? EITHER : m->alpha == like->alpha ? YES : NO;
}
static verdict is_forward(const pf_module *m, const pf_module *like)
{
    return (void)like, pf_path_ends_with(m->ours, "mlp.fc2") ? YES : NO;
}

/* The shortest end of like's path that begins after a dot and matches no module with the verdict NO. */
static const char *shortest(const pf_modules *m, const pf_module *like, judge compare)
{
    const char *path = like->path, *name = path + strlen(path);
    for (bool good = false; !good && name > path;) {
        while (--name > path && name[-1] != '.') {}
        good = true;
        for (size_t i = 0; i < m->count && good; i++)
            good = !pf_path_ends_with(m->item[i].path, name) || compare(&m->item[i], like) != NO;
    }
    return name;
}

/* The shortest names of the modules that have the setting (verdict YES when compared with themselves), each once. NULL:
 * no memory. */
static json_t *names_of(const pf_modules *m, judge compare)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->count && list; i++) {
        const char *name = shortest(m, &m->item[i], compare);
        bool leave_out = compare(&m->item[i], &m->item[i]) != YES;
        for (size_t k = 0; k < json_array_size(list) && !leave_out; k++)
            leave_out = !strcmp(json_string_value(json_array_get(list, k)), name);
        if (leave_out || !json_array_append_new(list, json_string(name))) continue;       /* 0: appended */
        json_decref(list);
        list = NULL;
    }
    return list;
}

/* An integer if v is whole. */
static json_t *number(double v) { return v == (double)(int64_t)v ? json_integer((int64_t)v) : json_real(v); }

/* rank_pattern or alpha_pattern: an object of names of modules and their rank or alpha, for modules in which it is not
 * the adapter's: {"layer.3.q_proj": 4}. NULL: no memory. */
static json_t *pattern_of(const pf_modules *m, pf_lora_number which, double of_adapter)
{
    json_t *o = json_object();
    for (size_t i = 0; i < m->count && o; i++) {
        const pf_module *t = &m->item[i];
        const double v = pf_module_number(t, which);
        if (!t->target || v == of_adapter ||
            !json_object_set_new(o, shortest(m, t, which == PF_RANK ? same_rank : same_alpha),
                                 number(v)))
            continue;
        json_decref(o);
        o = NULL;
    }
    return o;
}

/* Sets target, rank and alpha of a module that LoRA adapts. */
static void mark_lora(const peft_adapter *a, pf_module *t)
{
    char name[PF_NAME_MAX + 16];
    snprintf(name, sizeof name, "%s.lora_A.weight", t->ours);
    const pf_param *p = pf_params_find(&a->params, name);
    if (!p) return;
    t->target = true;
    t->rank = p->value.dim[0];
    /* The call records errors in the adapter, but this pattern was checked when the adapter was made. */
    t->alpha = peft_sys_opt_pattern((peft_adapter *)(uintptr_t)a, "alpha_pattern", t->ours,
                                    peft_sys_opt_float(a, "alpha"));
}

/* Sets target, saved, rank and alpha of all modules. */
static void mark(const peft_adapter *a, pf_peft_type type, bool head, pf_modules *m)
{
    for (size_t i = 0; i < m->count; i++) {
        pf_module *t = &m->item[i];
        const bool norm = t->kind == PF_MODULE_NORM || t->kind == PF_MODULE_FINAL;
        t->saved = t->kind == PF_MODULE_HEAD ? head
                 : type == PF_PEFT_LORA && t->kind == PF_MODULE_FINAL && peft_sys_opt_int(a, "train_norm");
        if (type == PF_PEFT_LORA) mark_lora(a, t);
        else if (type == PF_PEFT_LN) t->target = norm;
        else
            t->target = pf_path_ends_with(t->ours, "attn.k") || pf_path_ends_with(t->ours, "attn.v")
                     || pf_path_ends_with(t->ours, "mlp.fc2");
    }
}

/* Sets the fields that LoRA alone has. Not 0: no memory. */
static int lora_fields(json_t *o, const peft_adapter *a, const pf_modules *m)
{
    const int64_t r = peft_sys_opt_int(a, "r");
    const double alpha = peft_sys_opt_float(a, "alpha");
    const bool gaussian = !strcmp(peft_sys_opt_string(a, "init"), "gaussian");
    return json_object_set_new(o, "r", json_integer(r)) | json_object_set_new(o, "lora_alpha", number(alpha))
         | json_object_set_new(o, "lora_dropout", json_real(peft_sys_opt_float(a, "dropout")))
         | json_object_set_new(o, "use_rslora", json_boolean(peft_sys_opt_int(a, "rslora")))
         | json_object_set_new(o, "use_dora", json_boolean(peft_sys_opt_int(a, "dora")))
         | json_object_set_new(o, "init_lora_weights", gaussian ? json_string("gaussian") : json_true())
         | json_object_set_new(o, "rank_pattern", pattern_of(m, PF_RANK, (double)r))
         | json_object_set_new(o, "alpha_pattern", pattern_of(m, PF_ALPHA, alpha));
}

/* The paths of the modules that are saved as a whole; null: there are none. */
static json_t *saved_names(const pf_modules *m)
{
    json_t *list = NULL;
    for (size_t i = 0; i < m->count; i++) {
        if (!m->item[i].saved) continue;
        if (!list) list = json_array();
        if (json_array_append_new(list, json_string(m->item[i].path))) return json_decref(list), NULL;
    }
    return list ? list : json_null();
}

/* Marks the modules first, because the fields name them. */
peft_status pf_peft_config_make(const peft_adapter *a, pf_peft_type type, bool head, pf_modules *m, json_t **out)
{
    json_t *o = json_object();
    mark(a, type, head, m);
    int failed = json_object_set_new(o, "peft_type", json_string(pf_peft_kinds[type].type));
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (plain[i].types >> type & 1)
            failed |= pf_json_set(o, plain[i].name, plain[i].value);
    failed |= json_object_set_new(o, "target_modules", names_of(m, is_target));
    failed |= json_object_set_new(o, "modules_to_save", saved_names(m));
    if (type == PF_PEFT_LORA) failed |= lora_fields(o, a, m);
    if (type == PF_PEFT_IA3) failed |= json_object_set_new(o, "feedforward_modules", names_of(m, is_forward));
    if (failed) {
        json_decref(o);
        return pf_nomem("configuration", 0);
    }
    *out = o;
    return PEFT_OK;
}
