/* SPDX-License-Identifier: Apache-2.0
 * hf_config_write.c -- makes adapter_config.json of an adapter: every field that PEFT has for its type, and as
 * target_modules the shortest names that match the adapted modules and no others, or, where there are no such names, a
 * pattern that matches whole paths. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/base/json_text.h"
#include "core/format/json_value.h"
#include "core/interop/hf_dir.h"

/* Bits of PEFT types. */
#define LORA (1u << PF_PEFT_LORA)
#define IA3  (1u << PF_PEFT_IA3)
#define VERA (1u << PF_PEFT_VERA)
#define OFT  (1u << PF_PEFT_OFT)
#define ALL  (LORA | IA3 | VERA | OFT | 1u << PF_PEFT_LN)

/* Fields that have the same value for every adapter of these types, and that value as JSON. */
static const struct { unsigned types; const char *name, *value; } plain[] = {
    { ALL, "task_type", "null" }, { ALL, "base_model_name_or_path", "null" }, { ALL, "revision", "null" },
    { ALL & ~OFT, "peft_version", "null" }, { OFT, "peft_version", "\"0.18.0\"" },   /* the first with this series */
    { ALL, "auto_mapping", "null" }, { ALL, "inference_mode", "true" },
    { ALL & ~VERA, "exclude_modules", "null" }, { LORA | IA3 | VERA | OFT, "fan_in_fan_out", "false" },
    { VERA | OFT, "bias", "\"none\"" }, { VERA | OFT, "init_weights", "true" }, { OFT, "coft", "false" },
    { OFT, "eps", "6e-05" }, { OFT, "module_dropout", "0.0" }, { VERA, "projection_prng_key", "0" },
    { VERA, "save_projection", "true" },
    { IA3, "init_ia3_weights", "true" }, { LORA, "lora_bias", "false" },
    { LORA | VERA | OFT, "layers_to_transform", "null" }, { LORA | VERA | OFT, "layers_pattern", "null" },
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
static verdict is_forward(const pf_module *m, const pf_module *like) { return (void)like, m->forward ? YES : NO; }

/* Does PEFT take a module at `path` for one that the list names `name`? behind_dot: only if the name begins at a dot;
 * feedforward_modules are compared without this condition. */
static bool list_matches(const char *path, const char *name, bool behind_dot)
{
    const size_t length = strlen(path), tail = strlen(name);
    if (behind_dot) return pf_path_ends_with(path, name);
    return length >= tail && !strcmp(path + length - tail, name);
}

/* The shortest end of like's path that begins after a dot and matches no module with the verdict NO; *good: there is
 * one. */
static const char *shortest(const pf_modules *m, const pf_module *like, judge compare, bool *good)
{
    const char *path = like->path, *name = path + strlen(path);
    for (*good = false; !*good && name > path;) {
        while (--name > path && name[-1] != '.') {}
        *good = true;
        for (size_t i = 0; i < m->count && *good; i++)
            *good = !list_matches(m->item[i].path, name, compare != is_forward) || compare(&m->item[i], like) != NO;
    }
    return name;
}

/* Appends path to text as a pattern that matches it and nothing else; layer: where its number is any (\\d+), or -1. */
static int append_pattern(pf_text *t, const char *path, int64_t layer)
{
    char number[24];
    snprintf(number, sizeof number, ".%lld.", (long long)layer);
    const char *any = layer < 0 ? NULL : strstr(path, number);
    int failed = t->length ? pf_text_add("|", 1, t) : 0;
    for (const char *p = path; *p; p++) {
        if (p == any) {
            failed |= pf_text_add("\\.\\d+\\.", strlen("\\.\\d+\\."), t);
            p += strlen(number) - 1;
        } else if (*p == '.') failed |= pf_text_add("\\.", 2, t);
        else failed |= pf_text_add(p, 1, t);
    }
    return failed;
}

/* Do all blocks have the setting in the module with like's name? */
static bool in_all_blocks(const pf_modules *m, const pf_module *like, judge compare)
{
    for (size_t i = 0; i < m->count; i++) {
        const pf_module *x = &m->item[i];
        if (x->layer >= 0 && x->kind == like->kind && !strcmp(pf_module_stem(x->ours), pf_module_stem(like->ours))
            && compare(x, x) != YES)
            return false;
    }
    return like->layer >= 0;
}

/* A pattern that matches the whole paths of the modules that have the setting. NULL: no memory. */
static json_t *pattern_of_names(const pf_modules *m, judge compare)
{
    pf_text t = { .ctx = m->ctx };
    int failed = 0;
    for (size_t i = 0; i < m->count; i++) {
        const pf_module *x = &m->item[i];
        const bool all = in_all_blocks(m, x, compare);
        if (compare(x, x) != YES || (all && x->layer > 0)) continue;         /* block 0 stands for all blocks */
        if (i && !strcmp(x->path, m->item[i - 1].path)) continue;            /* of one MultiheadAttention */
        failed |= append_pattern(&t, x->path, all ? x->layer : PF_NO_LAYER);
    }
    json_t *text = failed ? NULL : json_string(t.length ? t.text : "");
    pf_free(m->ctx, t.text);
    return text;
}

/* The shortest names of the modules that have the setting (verdict YES when compared with themselves), each once; or a
 * pattern, if a module has no such name: in timm "norm" would also match an Identity in each block. NULL: no memory. */
static json_t *names_of(const pf_modules *m, judge compare)
{
    json_t *list = json_array();
    bool good;
    for (size_t i = 0; i < m->count && list; i++) {
        if (compare(&m->item[i], &m->item[i]) != YES) continue;
        const char *name = shortest(m, &m->item[i], compare, &good);
        bool leave_out = false;
        for (size_t k = 0; k < json_array_size(list) && !leave_out; k++)
            leave_out = !strcmp(json_string_value(json_array_get(list, k)), name);
        if (good && (leave_out || !json_array_append_new(list, json_string(name)))) continue;       /* 0: appended */
        json_decref(list);
        return good ? NULL : pattern_of_names(m, compare);
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
        bool good;
        if (!t->target || v == of_adapter ||
            !json_object_set_new(o, shortest(m, t, which == PF_RANK ? same_rank : same_alpha, &good), number(v)))
            continue;
        json_decref(o);
        o = NULL;
    }
    return o;
}

/* The fields r, lora_alpha and use_rslora. */
typedef struct { int64_t r; double alpha; bool rslora; } lora_numbers;

/* The numbers of an adapter's options; or, where parts are written as their whole (hf_fuse.c), rank and alpha of the
 * first module, without rsLoRA: the scale of the whole's rank is that of the parts. */
static lora_numbers numbers_of(const peft_adapter *a, const pf_peft_names *n, const pf_modules *m)
{
    lora_numbers x = { peft_sys_opt_int(a, "r"), peft_sys_opt_float(a, "alpha"), peft_sys_opt_int(a, "rslora") };
    if (!pf_peft_changes_ranks(a, n)) return x;
    for (size_t i = 0; i < m->count; i++)
        if (m->item[i].target) return (lora_numbers){ m->item[i].rank, m->item[i].alpha, false };
    return x;
}

/* Sets the fields that LoRA alone has. Not 0: no memory. */
static int lora_fields(json_t *o, const peft_adapter *a, const pf_peft_names *n, const pf_modules *m)
{
    const lora_numbers x = numbers_of(a, n, m);
    const bool gaussian = !strcmp(peft_sys_opt_string(a, "init"), "gaussian");
    return json_object_set_new(o, "r", json_integer(x.r)) | json_object_set_new(o, "lora_alpha", number(x.alpha))
         | json_object_set_new(o, "lora_dropout", json_real(peft_sys_opt_float(a, "dropout")))
         | json_object_set_new(o, "use_rslora", json_boolean(x.rslora))
         | json_object_set_new(o, "use_dora", json_boolean(peft_sys_opt_int(a, "dora")))
         | json_object_set_new(o, "bias", json_string(peft_sys_opt_string(a, "bias")))
         | json_object_set_new(o, "init_lora_weights", gaussian ? json_string("gaussian") : json_true())
         | json_object_set_new(o, "rank_pattern", pattern_of(m, PF_RANK, (double)x.r))
         | json_object_set_new(o, "alpha_pattern", pattern_of(m, PF_ALPHA, x.alpha));
}

/* Sets the fields that VeRA alone has. Not 0: no memory. */
static int vera_fields(json_t *o, const peft_adapter *a)
{
    return json_object_set_new(o, "r", json_integer(peft_sys_opt_int(a, "r")))
         | json_object_set_new(o, "d_initial", json_real(peft_sys_opt_float(a, "d_initial")))
         | json_object_set_new(o, "vera_dropout", json_real(peft_sys_opt_float(a, "dropout")));
}

/* Sets the fields that OFT alone has. Not 0: no memory. */
static int oft_fields(json_t *o, const peft_adapter *a)
{
    const int64_t terms = peft_sys_opt_int(a, "terms");
    return json_object_set_new(o, "r", json_integer(peft_sys_opt_int(a, "blocks")))
         | json_object_set_new(o, "oft_block_size", json_integer(peft_sys_opt_int(a, "block_size")))
         | json_object_set_new(o, "block_share", json_boolean(peft_sys_opt_int(a, "share")))
         | json_object_set_new(o, "use_cayley_neumann", json_boolean(terms > 0))
         | json_object_set_new(o, "num_cayley_neumann_terms", json_integer(terms ? terms : PF_OFT_DEFAULT_TERMS));
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

peft_status pf_peft_config_make(const peft_adapter *a, pf_peft_type type, const pf_peft_names *n, const pf_modules *m,
                                json_t **out)
{
    json_t *o = json_object();
    int failed = json_object_set_new(o, "peft_type", json_string(pf_peft_kinds[type].type));
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (plain[i].types >> type & 1)
            failed |= pf_json_set(o, plain[i].name, plain[i].value);
    const bool two_towers = n->naming == PF_PEFT_HF_CLIP || n->naming == PF_PEFT_CLIP;   /* of the same short names */
    failed |= json_object_set_new(o, "target_modules", two_towers ? pattern_of_names(m, is_target)
                                                                  : names_of(m, is_target));
    failed |= json_object_set_new(o, "modules_to_save", saved_names(m));
    if (type == PF_PEFT_LORA) failed |= lora_fields(o, a, n, m);
    if (type == PF_PEFT_OFT) failed |= oft_fields(o, a);
    if (type == PF_PEFT_VERA) failed |= vera_fields(o, a);
    if (type == PF_PEFT_IA3) failed |= json_object_set_new(o, "feedforward_modules", names_of(m, is_forward));
    if (failed) {
        json_decref(o);
        return pf_nomem("configuration", 0);
    }
    *out = o;
    return PEFT_OK;
}
