/* SPDX-License-Identifier: Apache-2.0
 * table.c -- the table of families and the look-ups in it that need no checkpoint. */
#include "core/arch/arch.h"
#include <string.h>
#include "core/options/glob.h"
#include "core/options/options.h"

#define PF_FAMILY(f) extern const pf_family pf_family_##f;
#include "core/arch/families.def"
#undef PF_FAMILY
#define PF_FAMILY(f) &pf_family_##f,
const pf_family *const pf_all_families[] = {
#include "core/arch/families.def"
    NULL };
#undef PF_FAMILY

/* Most pairs of bits describe one property, so that a network has exactly one of the two. */
bool pf_shape_fits(const pf_vit_shape *s, unsigned needs)
{
    const bool pool = s->attn_pool.width > 0, as_wide = s->attn_pool.width == s->width;
    const unsigned form = s->timm_form;
    unsigned has = (s->layer_scale ? PF_SCALED : PF_UNSCALED) | (s->gate ? PF_GATED : PF_UNGATED)
                 | (s->registers ? PF_REGISTERS : PF_NO_REGISTERS)
                 | (s->class_token ? PF_CLASS_TOKEN : PF_NO_CLASS_TOKEN)
                 | (pool ? PF_ATTN_POOL : PF_NO_ATTN_POOL) | (s->norm_pre ? PF_NORM_PRE : PF_NO_NORM_PRE)
                 | (s->pool == PF_FEATURE_CLS_DIST ? PF_PAIR : PF_NO_PAIR)
                 | (form & PF_TIMM_GAMMA ? PF_GAMMA : PF_LS) | (form & PF_TIMM_NO_K_BIAS ? PF_NO_K_BIAS : PF_K_BIAS);
    if (form & PF_TIMM_SPLIT_GATE) has |= PF_SPLIT_GATE;
    if (pool) has |= as_wide ? PF_POOL_AS_WIDE : PF_POOL_OTHER_WIDTH;
    return !(needs & ~has & ~(unsigned)PF_FLAT);       /* no needed bit is missing */
}

bool pf_family_uses(const pf_family *f, const pf_naming *n) { return f->naming[0] == n || f->naming[1] == n; }

size_t pf_namings(pf_families families, const pf_naming *out[PF_NAMINGS_MAX])
{
    size_t n = 0;
    for (; *families; families++)
        for (int i = 0; i < 2; i++) {
            const pf_naming *naming = (*families)->naming[i];
            size_t k = 0;
            while (k < n && out[k] != naming) k++;
            if (naming && k == n && n < PF_NAMINGS_MAX) out[n++] = naming;
        }
    return n;
}

enum naming_set { ALL_NAMINGS, SAVED_NAMINGS };
/* The names of the namings in set, as text. */
static void list_names(pf_families families, enum naming_set set, char *text, size_t capacity)
{
    const pf_naming *known[PF_NAMINGS_MAX];
    const char *names[PF_NAMINGS_MAX];
    size_t n = 0;
    for (size_t i = 0, all = pf_namings(families, known); i < all; i++)
        if (set == ALL_NAMINGS || known[i]->written) names[n++] = known[i]->name;
    pf_names_text(names, n, ", ", " or ", text, capacity);
}

void pf_list_namings(pf_families families, char *text, size_t capacity)
{
    list_names(families, ALL_NAMINGS, text, capacity);
}

void pf_list_saved_namings(pf_families families, char *text, size_t capacity)
{
    list_names(families, SAVED_NAMINGS, text, capacity);
}

/* Of the families that use the naming or its other one, the first whose model class is for networks with these
 * properties; but before them one that is wanted. */
pf_saving pf_saved_as(pf_families families, const pf_naming *n, const pf_vit_shape *s, const char *wanted,
                      bool classifier)
{
    pf_saving first = { NULL, n };
    if (n->part && !strcmp(n->part_model->type, wanted)) return (pf_saving){ n->part_model, n->part };
    for (; *families; families++) {
        const pf_hf_model *m = (*families)->saved;
        const bool uses = pf_family_uses(*families, n), other = n->other && pf_family_uses(*families, n->other);
        if (!m || !(uses || other) || !pf_shape_fits(s, m->needs)) continue;
        if (m->only_wanted && classifier && !m->classifier) continue;
        const pf_saving this = { m, uses ? n : n->other };
        if (!strcmp(m->type, wanted) || (m->classifier_type && !strcmp(m->classifier_type, wanted))) return this;
        if (!first.model && !m->only_wanted) first = this;
    }
    return first;
}

/* Overwrites in *to the facts that r states. */
static void merge(pf_arch_row *to, const pf_arch_row *r)
{
    if (r->heads) to->heads = r->heads;
    if (r->eps > 0) to->eps = r->eps;
    if (r->rule) to->rule = r->rule;
    if (r->processor) to->processor = r->processor;
    if (r->refused) to->refused = r->refused;
    to->silu |= r->silu;
}

pf_arch pf_arch_of(pf_families families, const char *architecture, const char *model_type)
{
    size_t n = 0;
    pf_arch a = { .name = architecture ? architecture : model_type, .timm = architecture != NULL };
    for (; a.name && *families; families++) {
        const pf_arch_row *r = a.timm ? (*families)->architectures : (*families)->model_types;
        for (; r && r->glob; r++) {
            if (!pf_glob(r->glob, a.name)) continue;
            merge(&a.facts, r);
            if (r->settings && n < sizeof a.settings / sizeof *a.settings) a.settings[n++] = r->settings;
        }
    }
    a.known = a.facts.rule != NULL;
    if (a.timm && a.known && !(a.facts.eps > 0)) a.facts.eps = 1e-6;           /* as in timm's VisionTransformer */
    return a;
}

const char *pf_arch_setting(const pf_arch *a, const char *name)
{
    for (size_t i = sizeof a->settings / sizeof *a->settings; i-- > 0;)
        for (const pf_field *s = a->settings[i]; s && s->key; s++) if (!strcmp(s->key, name)) return s->json;
    return NULL;
}
