
/* SPDX-License-Identifier: Apache-2.0
 * sites.c -- the sites of the forward pass, at which adapters may change the graph, and the layers that have some:
 * linear layers and norms. */
#include <stdio.h>
#include "core/model/vit/pass.h"

pf_val pf_pass_weight(const pf_vit_pass *p, int64_t layer, const char *name)
{
    char whole[2 * PF_NAME_MAX], block[32] = "";
    if (layer >= 0) snprintf(block, sizeof block, "blocks.%lld.", (long long)layer);
    snprintf(whole, sizeof whole, "%s%s%s", p->scope, block, name);
    return pf_model_weight(p->m, p->g, whole);
}

pf_val pf_pass_weight_of(const pf_vit_pass *p, int64_t layer, const char *stem, const char *suffix)
{
    char name[PF_NAME_MAX];
    snprintf(name, sizeof name, "%s.%s", stem, suffix);
    return pf_pass_weight(p, layer, name);
}

/* A method that sets `out` at an attention computes it itself, from q, k and v as they are then and without extra keys,
 * values, logits or factors of other methods. To be called when method a has acted and out is set. before: the site as
 * a found it. If out was set already, a must have changed nothing; if a set it, there must be no extras. */
static void check_own_attention(const pf_vit_pass *p, const peft_adapter *a, const peft_site *before,
                                const peft_site *s)
{
    enum { FIRST_EXTRA = 3, VALUES = 7 };
    const pf_val was[] = { before->q, before->k, before->v, before->xk, before->xv, before->sink, before->head_scale };
    const pf_val is[] = { s->q, s->k, s->v, s->xk, s->xv, s->sink, s->head_scale };
    bool changed = !pf_eq(before->out, s->out), has_extras = false;
    for (int i = 0; i < VALUES; i++) {
        changed |= !pf_eq(was[i], is[i]);
        has_extras |= i >= FIRST_EXTRA && pf_exists(is[i]);
    }
    if (pf_exists(before->out) ? !changed : !has_extras) return;
    pf_graph_fail(p->g, pf_fail(PEFT_E_STATE, "method '%s' at the attention of layer %lld: two methods change this "
                                "attention, and one of them computes it itself: expected only one of the two",
                                a->method->name, (long long)s->layer));
}

/* Lets a function of the graph's overlay act at a site. */
static void run_overlay(const pf_vit_pass *p, void (*act)(void *user, pf_graph *g, peft_site *s), peft_site *s)
{
    if (act && !*p->scope && !p->g->status) act(p->g->overlay->user, p->g, s);
}

void pf_pass_site(const pf_vit_pass *p, peft_site *s)
{
    const pf_overlay *o = p->g->overlay;
    if (o) run_overlay(p, o->before, s);
    if (p->site_fn && !p->g->status) p->site_fn(p->site_user, p->g, s);
    for (size_t i = 0; i < p->m->adapters && !p->site_fn && !p->g->status; i++) {
        const peft_adapter *a = p->m->adapter[i];
        p->g->constants = &p->m->adapter[i]->constants;
        if (!(a->method->sites & PEFT_AT(s->where))) continue;
        const peft_site before = *s;
        a->method->emit(a->state, p->g, s);
        if (s->where == PEFT_ATTN && pf_exists(s->out) && !p->g->status) check_own_attention(p, a, &before, s);
    }
    if (o) run_overlay(p, o->after, s);
}

pf_val pf_pass_value_site(const pf_vit_pass *p, peft_where where, peft_role role, int64_t layer, pf_val in, pf_val out)
{
    peft_site s = { .where = where, .role = role, .layer = layer, .in = in, .out = out };
    pf_pass_site(p, &s);
    return s.out;
}

void pf_pass_tap(const pf_vit_pass *p, const char *name, pf_val v)
{
    if (p->tap && !p->g->status) p->tap(p->tap_user, p->g, name, v);
}

void pf_pass_tap_sink_mass(const pf_vit_pass *p, int64_t l, pf_val sink, pf_val lse)
{
    char name[32];
    snprintf(name, sizeof name, "sink_mass.%lld", (long long)l);
    if (!pf_exists(sink) || !p->tap || p->g->status || !p->tap(p->tap_user, p->g, name, PF_NONE)) return;
    pf_pass_tap(p, name, pf_emit(p->g, &pf_op_sink_mass, NULL, 2, (pf_val[]){ lse, sink }));
}

pf_val pf_pass_linear(const pf_vit_pass *p, peft_role role, int64_t layer, const char *name, pf_val x)
{
    const pf_val w = pf_pass_weight_of(p, layer, name, "weight"), b = pf_pass_weight_of(p, layer, name, "bias");
    const bool input_is_site = role == PEFT_PROJ || role == PEFT_FC1 || role == PEFT_FC2;
    if (input_is_site) x = pf_pass_value_site(p, PEFT_LINEAR_IN, role, layer, PF_NONE, x);
    peft_site s = { .where = PEFT_LINEAR, .role = role, .layer = layer, .in = x, .w = w, .bias = b,
                    .out = peft_sys_linear(p->g, x, w, b) };
    pf_pass_site(p, &s);
    return s.out;
}

pf_val pf_pass_inner_norm(const pf_vit_pass *p, int64_t layer, const char *name, pf_val x)
{
    const pf_val gamma = pf_pass_weight_of(p, layer, name, "weight"), beta = pf_pass_weight_of(p, layer, name, "bias");
    return peft_sys_layernorm(p->g, x, gamma, beta, p->shape->eps);
}

pf_val pf_pass_norm(const pf_vit_pass *p, peft_role role, int64_t layer, const char *name, pf_val x)
{
    return pf_pass_value_site(p, PEFT_NORM, role, layer, x, pf_pass_inner_norm(p, layer, name, x));
}
