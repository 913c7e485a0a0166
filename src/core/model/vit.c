/* SPDX-License-Identifier: Apache-2.0
 * vit.c -- the Vision Transformer's forward pass, once, with the sites at which methods act. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/model/model.h"

/* One transformer of a graph: the backbone (scope ""), or a network that a method declared under a scope. */
typedef struct {
    const peft_model *m;
    pf_graph *g;
    const char *scope;                   /* in front of its tensors' names */
    const pf_vit_shape *shape;
    bool mean_pool;
    pf_site_fn at; void *at_user;        /* what visits its sites; NULL: the model's adapters */
    pf_tap_fn tap; void *tap_user;
} pass;

pf_val pf_const(pf_graph *g, const peft_tensor *t)
{
    pf_shape s = { .ndim = t->ndim };
    memcpy(s.dim, t->dim, sizeof(int64_t) * PF_MAX_RANK);
    pf_val v = pf_value_new(g, PF_CONST, s);
    if (pf_is(v)) pf_v(g, v)->data = t->data;
    return v;
}

pf_val pf_model_weight(const peft_model *m, pf_graph *g, const char *name)
{
    for (size_t i = 0; i < m->adapters; i++) {
        pf_param *p = pf_params_find(&m->adapter[i]->params, name);
        if (p) return pf_use(g, p);
    }
    const peft_tensor *t = pf_backbone_find(m->backbone, name);
    return t ? pf_const(g, t) : PF_NONE;
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static pf_val weight(const pass *p, const char *format, ...)
{
    char name[2 * PF_NAME_MAX];
    va_list ap;
    size_t used = (size_t)snprintf(name, PF_NAME_MAX, "%s", p->scope);
    va_start(ap, format);
    vsnprintf(name + used, sizeof name - used, format, ap);
    va_end(ap);
    return pf_model_weight(p->m, p->g, name);
}

static void visit(const pass *p, pf_site *s)
{
    if (p->at) {
        if (!p->g->status) p->at(p->at_user, p->g, s);
        return;
    }
    for (size_t i = 0; i < p->m->adapters && !p->g->status; i++) {
        const peft_adapter *a = p->m->adapter[i];
        if (a->method->sites & PF_AT(s->where)) a->method->emit(a->state, p->g, s);
    }
}

static pf_val at(const pass *p, pf_where where, pf_role role, int64_t layer, pf_val in, pf_val out)
{
    pf_site s = { .where = where, .role = role, .layer = layer, .in = in, .out = out };
    visit(p, &s);
    return s.out;
}

static void tap(const pass *p, const char *name, pf_val v)
{
    if (p->tap && !p->g->status) p->tap(p->tap_user, p->g, name, v);
}

static pf_val linear(const pass *p, pf_role role, int64_t layer, pf_val x, pf_val w, pf_val b)
{
    if (role >= PF_PROJ) x = at(p, PF_LINEAR_IN, role, layer, PF_NONE, x);
    pf_site s = { .where = PF_LINEAR, .role = role, .layer = layer, .in = x, .w = w, .bias = b, .out = pf_linear(p->g, x, w, b) };
    visit(p, &s);
    return s.out;
}

static pf_val norm(const pass *p, pf_role role, int64_t layer, pf_val x, pf_val gamma, pf_val beta)
{
    return at(p, PF_NORM, role, layer, x, pf_layernorm(p->g, x, gamma, beta, p->shape->eps));
}

static pf_val embed(const pass *p, pf_val images)
{
    const pf_vit_shape *v = p->shape;
    pf_graph *g = p->g;
    images = at(p, PF_IMAGE, PF_PATCH, -1, PF_NONE, images);
    pf_val x = pf_emit(g, &pf_op_patches, &(pf_attr){ .i = { v->patch } }, 1, (pf_val[]){ images });
    x = linear(p, PF_PATCH, -1, x, weight(p, "patch_embed.proj.weight"), weight(p, "patch_embed.proj.bias"));
    if (v->pos_prefix) x = pf_insert_rows(g, x, 0, weight(p, "cls_token"));
    x = pf_add(g, x, weight(p, "pos_embed"));
    if (!v->pos_prefix) x = pf_insert_rows(g, x, 0, weight(p, "cls_token"));
    if (v->registers) x = pf_insert_rows(g, x, 1, weight(p, "reg_token"));
    if (v->norm_pre) x = pf_layernorm(g, x, weight(p, "norm_pre.weight"), weight(p, "norm_pre.bias"), v->eps);
    return at(p, PF_TOKENS, PF_PATCH, -1, PF_NONE, x);
}

static pf_val attend(const pass *p, int64_t l, pf_val x)
{
    const int64_t d = p->shape->width, heads = p->shape->heads;
    pf_val w = weight(p, "blocks.%lld.attn.qkv.weight", (long long)l), b = weight(p, "blocks.%lld.attn.qkv.bias", (long long)l);
    pf_val part[3], sum = at(p, PF_LINEAR, PF_QKV, l, x, PF_NONE);
    for (int i = 0; i < 3; i++) {
        pf_site s = { .where = PF_LINEAR, .role = (pf_role)(PF_Q + i), .layer = l, .in = x,
                      .w = pf_slice(p->g, w, i * d, d), .bias = pf_slice(p->g, b, i * d, d) };
        s.out = pf_linear(p->g, x, s.w, s.bias);
        if (pf_is(sum)) s.out = pf_add(p->g, s.out, pf_columns(p->g, sum, i * d, d));
        visit(p, &s);
        part[i] = s.out;
    }
    pf_site s = { .where = PF_ATTN, .layer = l, .in = x, .q = part[0], .k = part[1], .v = part[2] };
    visit(p, &s);
    return linear(p, PF_PROJ, l, pf_attention(p->g, heads, &s),
                  weight(p, "blocks.%lld.attn.proj.weight", (long long)l), weight(p, "blocks.%lld.attn.proj.bias", (long long)l));
}

static pf_val mlp(const pass *p, int64_t l, pf_val x)
{
    const pf_vit_shape *v = p->shape;
    long long n = l;
    x = linear(p, PF_FC1, l, x, weight(p, "blocks.%lld.mlp.fc1.weight", n), weight(p, "blocks.%lld.mlp.fc1.bias", n));
    if (v->swiglu) {
        pf_val gate = pf_activate(p->g, pf_columns(p->g, x, 0, v->mlp), "silu");
        x = pf_mul(p->g, gate, pf_columns(p->g, x, v->mlp, v->mlp));
    } else x = pf_activate(p->g, x, v->act == PK_QUICKGELU ? "quickgelu" : "gelu");
    return linear(p, PF_FC2, l, x, weight(p, "blocks.%lld.mlp.fc2.weight", n), weight(p, "blocks.%lld.mlp.fc2.bias", n));
}

/* x + ls * branch(norm(x)) */
static pf_val residual(const pass *p, int64_t l, pf_role role, pf_val x, pf_val branch)
{
    pf_val gamma = weight(p, "blocks.%lld.ls%d.gamma", (long long)l, role == PF_SA ? 1 : 2);
    if (pf_is(gamma)) branch = pf_affine(p->g, branch, gamma, PF_NONE);
    return pf_add(p->g, x, at(p, PF_BRANCH, role, l, x, branch));
}

static pf_val block(const pass *p, int64_t l, pf_val x)
{
    long long n = l;
    x = at(p, PF_BLOCK_IN, PF_SA, l, PF_NONE, x);
    pf_val y = norm(p, PF_NORM1, l, x, weight(p, "blocks.%lld.norm1.weight", n), weight(p, "blocks.%lld.norm1.bias", n));
    x = residual(p, l, PF_SA, x, attend(p, l, y));
    y = norm(p, PF_NORM2, l, x, weight(p, "blocks.%lld.norm2.weight", n), weight(p, "blocks.%lld.norm2.bias", n));
    x = residual(p, l, PF_MLP, x, mlp(p, l, y));
    return at(p, PF_BLOCK_OUT, PF_MLP, l, PF_NONE, x);
}

/* The pooled token goes through the final norm; for the class token this equals the norm of all tokens, then row 0. */
static pf_val pool(const pass *p, pf_val x)
{
    const pf_vit_shape *v = p->shape;
    const char *name = v->mean_pool ? "fc_norm" : "norm";
    int64_t patches = pf_vit_grid(v) * pf_vit_grid(v);
    if (p->g->status) return PF_NONE;
    int64_t prefix = pf_v(p->g, x)->shape.dim[1] - patches;
    x = p->mean_pool ? pf_mean_rows(p->g, x, prefix, patches) : pf_take_rows(p->g, x, 0, 1);
    x = norm(p, PF_FINAL, -1, x, weight(p, "%s.weight", name), weight(p, "%s.bias", name));
    return at(p, PF_POOL, PF_FINAL, -1, PF_NONE, x);
}

static pf_val forward(const pass *p, pf_val images)
{
    char name[32];
    pf_val x = embed(p, images);
    tap(p, "embed", x);
    for (int64_t l = 0; l < p->shape->depth; l++) {
        x = block(p, l, x);
        snprintf(name, sizeof name, "block.%lld", (long long)l);
        tap(p, name, x);
    }
    x = pool(p, x);
    tap(p, "feature", x);
    return x;
}

pf_val pf_vit_forward(pf_build *g, const pf_net *net, const char *scope, pf_val images, pf_site_fn at, void *user)
{
    pass p = { .m = net->model, .g = g, .scope = scope, .shape = &net->model->backbone->shape,
               .mean_pool = net->model->mean_pool, .at = at, .at_user = user };
    if (*scope) {
        p.shape = pf_adapter_network(net->adapter, scope);
        if (!p.shape) return pf_graph_fail(g, pf_fail(PEFT_E_INTERNAL, "no network was declared under '%s'", scope));
        p.mean_pool = p.shape->mean_pool;
    }
    return forward(&p, images);
}

pf_val pf_model_forward(const peft_model *m, pf_graph *g, pf_val images, pf_tap_fn fn, void *user)
{
    pass p = { .m = m, .g = g, .scope = "", .shape = &m->backbone->shape, .mean_pool = m->mean_pool, .tap = fn, .tap_user = user };
    for (size_t i = 0; i < m->adapters; i++) {
        const pf_net net = { m, m->adapter[i] };
        if (!m->adapter[i]->method->network) continue;
        if (m->head != PF_HEAD_NETWORK || m->adapters > 1)
            return pf_graph_fail(g, pf_fail(PEFT_E_STATE, "method '%s' has a network of its own: expected a model with head "
                                            "side_encoder and no other adapter", m->adapter[i]->method->name));
        pf_val logits = m->adapter[i]->method->network(m->adapter[i]->state, g, &net, images);
        if (!g->status && pf_cols(g, logits) != m->classes)
            return pf_graph_fail(g, pf_fail(PEFT_E_OPTION, "classes: the model has %lld, its adapter %lld",
                                            (long long)m->classes, (long long)pf_cols(g, logits)));
        return logits;
    }
    if (m->head == PF_HEAD_NETWORK)
        return pf_graph_fail(g, pf_fail(PEFT_E_STATE, "head side_encoder: expected an adapter with a network of its own"));
    return pf_head_forward(m, g, forward(&p, images));
}
