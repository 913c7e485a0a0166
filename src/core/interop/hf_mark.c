/* SPDX-License-Identifier: Apache-2.0
 * hf_mark.c -- finds the modules that an adapter adapts, under the names of transformers or timm. A layer that is one
 * module here and several in the naming, or the reverse, marks the modules of the naming. */
#include <stdio.h>
#include <string.h>
#include "core/interop/hf_dir.h"

/* The parameter of the module `ours` with this ending; NULL: none. */
static const pf_param *find(const peft_adapter *a, const char *ours, const char *ending)
{
    char name[PF_NAME_MAX + 32];
    snprintf(name, sizeof name, "%s%s", ours, ending);
    return pf_params_find(&a->params, name);
}

/* Writes the name of another module of ours's block. */
static void sibling(char name[PF_NAME_MAX], const char *ours, const char *stem)
{
    snprintf(name, PF_NAME_MAX, "%.*s%s", (int)(pf_module_stem(ours) - ours), ours, stem);
}

/* Calls `one` for the module's own name, for the whole that it is a part of, and for its parts: the names under which
 * the adapter may have parameters for this module. */
typedef void (*mark_one)(const peft_adapter *a, const char *ours, pf_module *t);
static void for_all_names(const peft_adapter *a, const pf_peft_names *n, pf_module *t, mark_one one)
{
    char name[PF_NAME_MAX], path[PF_PATH_MAX];
    int index;
    const char *stem = pf_module_stem(t->ours);
    const pf_parts *as_part = pf_parts_of(stem, &index), *as_whole = pf_parts_of(stem, NULL);
    one(a, t->ours, t);
    if (as_part) sibling(name, t->ours, as_part->whole);
    if (as_part && !pf_module_path(n, name, path)) one(a, name, t);
    for (int i = 0; as_whole && i < as_whole->count; i++) {
        sibling(name, t->ours, as_whole->part[i]);
        if (!pf_module_path(n, name, path)) one(a, name, t);
    }
}

/* Rank and alpha add up over parts that are written as one module: alpha / rank stays the scale of the first. */
static void mark_lora(const peft_adapter *a, const char *ours, pf_module *t)
{
    const pf_param *p = find(a, ours, ".lora_A.weight");
    if (!p) return;
    const double rank = (double)p->value.dim[0], scale = pf_lora_scale(a, ours, p);
    const bool part = strcmp(ours, t->ours) && !pf_parts_of(pf_module_stem(ours), NULL);
    if (part) {
        t->alpha = t->target ? t->alpha / (double)t->rank * ((double)t->rank + rank) : scale * rank;
        t->rank += p->value.dim[0];
    } else {                                                 /* the module itself, or the adapted whole of a part */
        t->alpha = pf_lora_alpha(a, ours);
        t->rank = p->value.dim[0];
    }
    t->target = true;
}

static void mark_ia3(const peft_adapter *a, const char *ours, pf_module *t)
{
    const pf_param *p = find(a, ours, ".ia3_l");
    if (!p) return;
    t->target = true;
    t->forward = p->value.dim[0] == 1;
}

static void mark_oft(const peft_adapter *a, const char *ours, pf_module *t)
{
    if (find(a, ours, ".oft_R.weight")) t->target = true;
}

void pf_peft_mark(const peft_adapter *a, pf_peft_type type, bool head, const pf_peft_names *n, pf_modules *m)
{
    const bool fuses = type == PF_PEFT_LORA && peft_sys_opt_int(a, "rslora") && pf_peft_changes_ranks(a, n);
    for (size_t i = 0; i < m->count; i++) {
        pf_module *t = &m->item[i];
        t->saved = t->kind == PF_MODULE_HEAD ? head
                 : type == PF_PEFT_LORA && t->kind == PF_MODULE_FINAL && peft_sys_opt_int(a, "train_norm");
        if (t->kind >= PF_MODULE_HEAD) continue;
        if (type == PF_PEFT_LORA) for_all_names(a, n, t, mark_lora);
        else if (type == PF_PEFT_IA3) for_all_names(a, n, t, mark_ia3);
        else if (type == PF_PEFT_VERA) t->target = find(a, t->ours, ".vera_lambda_d");
        else if (type == PF_PEFT_OFT) for_all_names(a, n, t, mark_oft);
        else t->target = (t->kind == PF_MODULE_NORM || t->kind == PF_MODULE_FINAL) && find(a, t->ours, ".weight");
        /* Without rsLoRA in the configuration, alpha is that by which alpha / rank is the scale. */
        const pf_param *own = t->target && fuses ? find(a, t->ours, ".lora_A.weight") : NULL;
        if (own) t->alpha = pf_lora_scale(a, t->ours, own) * (double)t->rank;
    }
    if (type == PF_PEFT_LORA) pf_peft_mark_attention(a, n, m);
}

/* timm's Eva and Beit have q_bias and v_bias beside qkv, which then is not called (EVA-02, DINOv3 with biases). */
void pf_peft_warn_bypassed(const peft_backbone *b, const pf_peft_names *n, const pf_modules *m)
{
    const bool bypassed = (b->timm_form & PF_TIMM_NO_K_BIAS) && !(b->timm_form & PF_TIMM_SPLIT_QKV);
    if (n->naming != PF_PEFT_TIMM || !bypassed) return;
    for (size_t i = 0; i < m->count; i++) {
        const pf_module *t = &m->item[i];
        if (!t->target || strcmp(pf_module_stem(t->ours), "attn.qkv")) continue;
        pf_warn(b->ctx, "module '%s' is adapted, and timm's model with q_bias does not call it: it passes its weight "
                "to F.linear. In Python its adapter has no effect until it is merged (merge_and_unload); here it has",
                t->path);
        return;
    }
}
