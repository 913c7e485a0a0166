/* SPDX-License-Identifier: Apache-2.0
 * vit.c -- builds the forward pass of a Vision Transformer as a graph: of the backbone with the model's adapters, and
 * of the networks that methods declare. A site is a place in the pass at which adapters may change the graph, such as
 * the output of a linear layer (peft_where in peft/sys/method.h). */
#include <stdarg.h>
#include <stdio.h>
#include "core/model/model.h"

enum { NO_LAYER = -1 };                  /* of sites outside the blocks */
enum { CLASS_ROW, REGISTER_ROW };        /* the first rows of the tokens: class token, then registers, then patches */

/* One transformer of a graph: the backbone (scope ""), or a network that a method declared under a scope. */
typedef struct {
    const peft_model *m;
    pf_graph *g;
    const char *scope;                   /* prefix of its tensors' names */
    const pf_vit_shape *shape;
    bool patches;                        /* the result is all patch tokens; false: the pooled feature */
    bool mean_pool;                      /* the pooled feature is the mean of the patches; false: the class token */
    peft_site_fn site_fn; void *site_user;       /* called at each site in place of the model's adapters; or NULL */
    pf_tap_fn tap; void *tap_user;       /* gets intermediate values (model.h); NULL: nobody asked for them */
} vit_pass;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
/* The tensor of the transformer with this name. */
static pf_val weight(const vit_pass *p, const char *format, ...)
{
    char name[2 * PF_NAME_MAX];
    va_list ap;
    size_t used = (size_t)snprintf(name, PF_NAME_MAX, "%s", p->scope);
    va_start(ap, format);
    vsnprintf(name + used, sizeof name - used, format, ap);
    va_end(ap);
    return pf_model_weight(p->m, p->g, name);
}

/* A method that set `out` at an attention computed it from q, k and v as they were then. before: the site as the method
 * found it. Refuses a second method that changes them, or whose extra keys or logits this attention does not have. */
static void check_own_attention(const vit_pass *p, const peft_adapter *a, const peft_site *before, const peft_site *s)
{
    const pf_val was[] = { before->q, before->k, before->v, before->xk, before->xv, before->sink, before->head_scale };
    const pf_val is[] = { s->q, s->k, s->v, s->xk, s->xv, s->sink, s->head_scale };
    bool changed = !pf_eq(before->out, s->out), extended = false;
    for (int i = 0; i < 7; i++) {
        changed |= !pf_eq(was[i], is[i]);
        extended |= i > 2 && pf_exists(is[i]);
    }
    if (pf_exists(before->out) ? !changed : !extended) return;
    pf_graph_fail(p->g, pf_fail(PEFT_E_STATE, "method '%s' at the attention of layer %lld: two methods change this "
                                "attention, and one of them computes it itself: expected only one of the two",
                                a->method->name, (long long)s->layer));
}

/* Lets a function of the graph's overlay act at a site. */
static void run_overlay(const vit_pass *p, void (*act)(void *user, pf_graph *g, peft_site *s), peft_site *s)
{
    if (act && !*p->scope && !p->g->status) act(p->g->overlay->user, p->g, s);
}

/* Lets the adapters that act at this site, or site_fn, add to the graph; they change s->out. */
static void run_adapters(const vit_pass *p, peft_site *s)
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

/* Runs the adapters at a site that has no more than an input and an output. Returns the output, perhaps changed. At the
 * kinds of sites for which peft_where names no roles, role has no meaning. */
static pf_val apply_site(const vit_pass *p, peft_where where, peft_role role, int64_t layer, pf_val in, pf_val out)
{
    peft_site s = { .where = where, .role = role, .layer = layer, .in = in, .out = out };
    run_adapters(p, &s);
    return s.out;
}

/* Calls the tap function, if there is one. */
static void report_tap(const vit_pass *p, const char *name, pf_val v)
{
    if (p->tap && !p->g->status) p->tap(p->tap_user, p->g, name, v);
}

/* Reports the share of attention that the sinks of block l take, if the tap function wants it. lse: the logsumexp of
 * each row of the block's attention. */
static void report_sink_mass(const vit_pass *p, int64_t l, pf_val sink, pf_val lse)
{
    char name[32];
    snprintf(name, sizeof name, "sink_mass.%lld", (long long)l);
    if (!pf_exists(sink) || !p->tap || p->g->status || !p->tap(p->tap_user, p->g, name, PF_NONE)) return;
    report_tap(p, name, pf_emit(p->g, &pf_op_sink_mass, NULL, 2, (pf_val[]){ lse, sink }));
}

/* A linear layer and its sites: the output is one; so is the input of proj, fc1 and fc2. */
static pf_val linear(const vit_pass *p, peft_role role, int64_t layer, pf_val x, pf_val w, pf_val b)
{
    const bool input_is_site = role == PEFT_PROJ || role == PEFT_FC1 || role == PEFT_FC2;
    if (input_is_site) x = apply_site(p, PEFT_LINEAR_IN, role, layer, PF_NONE, x);
    peft_site s = { .where = PEFT_LINEAR, .role = role, .layer = layer, .in = x, .w = w, .bias = b,
                    .out = peft_sys_linear(p->g, x, w, b) };
    run_adapters(p, &s);
    return s.out;
}

/* LayerNorm and the site of its output. */
static pf_val norm(const vit_pass *p, peft_role role, int64_t layer, pf_val x, pf_val gamma, pf_val beta)
{
    return apply_site(p, PEFT_NORM, role, layer, x, peft_sys_layernorm(p->g, x, gamma, beta, p->shape->eps));
}

/* CLIP's norm before block 0; x where the network has none. */
static pf_val pre_norm(const vit_pass *p, pf_val x)
{
    if (!p->shape->norm_pre) return x;
    return peft_sys_layernorm(p->g, x, weight(p, "norm_pre.weight"), weight(p, "norm_pre.bias"), p->shape->eps);
}

/* Images to tokens: patch embedding, class token, positions, registers. */
static pf_val embed(const vit_pass *p, pf_val images)
{
    const pf_vit_shape *v = p->shape;
    pf_graph *g = p->g;
    images = apply_site(p, PEFT_IMAGE, PEFT_PATCH, NO_LAYER, PF_NONE, images);
    pf_val x = pf_emit(g, &pf_op_patches, &(pf_attr){ .i = { v->patch } }, 1, (pf_val[]){ images });
    x = linear(p, PEFT_PATCH, NO_LAYER, x, weight(p, "patch_embed.proj.weight"), weight(p, "patch_embed.proj.bias"));
    if (v->pos_prefix) x = peft_sys_insert_rows(g, x, CLASS_ROW, weight(p, "cls_token"));
    x = peft_sys_add(g, x, weight(p, "pos_embed"));
    if (!v->pos_prefix) x = peft_sys_insert_rows(g, x, CLASS_ROW, weight(p, "cls_token"));
    if (v->registers) x = peft_sys_insert_rows(g, x, REGISTER_ROW, weight(p, "reg_token"));
    return apply_site(p, PEFT_TOKENS, PEFT_PATCH, NO_LAYER, PF_NONE, pre_norm(p, x));
}

/* Self-attention. q, k and v are three linear layers, with the three thirds of attn.qkv, and each is a site. The site
 * before them has role PEFT_QKV: there an adapter may make a value of 3 d columns (fused), whose thirds are added to q,
 * k and v. */
static pf_val attention(const vit_pass *p, int64_t l, pf_val x)
{
    const int64_t d = p->shape->width, heads = p->shape->heads;
    const pf_val w = weight(p, "blocks.%lld.attn.qkv.weight", (long long)l);
    const pf_val b = weight(p, "blocks.%lld.attn.qkv.bias", (long long)l);
    pf_val qkv[3], fused = apply_site(p, PEFT_LINEAR, PEFT_QKV, l, x, PF_NONE);
    for (int i = 0; i < 3; i++) {
        peft_site s = { .where = PEFT_LINEAR, .role = (peft_role)(PEFT_Q + i), .layer = l, .in = x,
                      .w = peft_sys_slice(p->g, w, i * d, d), .bias = peft_sys_slice(p->g, b, i * d, d) };
        s.out = peft_sys_linear(p->g, x, s.w, s.bias);
        if (pf_exists(fused)) s.out = peft_sys_add(p->g, s.out, pf_columns(p->g, fused, i * d, d));
        run_adapters(p, &s);
        qkv[i] = s.out;
    }
    peft_site s = { .where = PEFT_ATTN, .layer = l, .in = x, .q = qkv[0], .k = qkv[1], .v = qkv[2] };
    run_adapters(p, &s);
    pf_val lse, out = s.out;
    if (!pf_exists(out)) {
        out = pf_attention(p->g, heads, &s, &lse);
        report_sink_mass(p, l, s.sink, lse);
    }
    return linear(p, PEFT_PROJ, l, out,
                  weight(p, "blocks.%lld.attn.proj.weight", (long long)l),
                  weight(p, "blocks.%lld.attn.proj.bias", (long long)l));
}

/* fc1, activation, fc2. A gated MLP multiplies SiLU of fc1's first half by its second half. */
static pf_val mlp(const vit_pass *p, int64_t l, pf_val x)
{
    const pf_vit_shape *v = p->shape;
    long long n = l;
    x = linear(p, PEFT_FC1, l, x, weight(p, "blocks.%lld.mlp.fc1.weight", n), weight(p, "blocks.%lld.mlp.fc1.bias", n));
    if (v->swiglu) {
        pf_val gate = peft_sys_activate(p->g, pf_columns(p->g, x, 0, v->mlp), "silu");
        x = peft_sys_mul(p->g, gate, pf_columns(p->g, x, v->mlp, v->mlp));
    } else x = peft_sys_activate(p->g, x, pf_act_name(v->act));
    return linear(p, PEFT_FC2, l, x, weight(p, "blocks.%lld.mlp.fc2.weight", n),
                  weight(p, "blocks.%lld.mlp.fc2.bias", n));
}

/* x + gamma * branch: branch is the output of attention or MLP, gamma is LayerScale, if the network has it. */
static pf_val residual(const vit_pass *p, int64_t l, peft_role role, pf_val x, pf_val branch)
{
    pf_val gamma = weight(p, "blocks.%lld.ls%d.gamma", (long long)l, role == PEFT_SA ? 1 : 2);
    if (pf_exists(gamma)) branch = peft_sys_affine(p->g, branch, gamma, PF_NONE);
    return peft_sys_add(p->g, x, apply_site(p, PEFT_BRANCH, role, l, x, branch));
}

/* x + attention(norm1(x)), then x + mlp(norm2(x)). */
static pf_val block(const vit_pass *p, int64_t l, pf_val x)
{
    long long n = l;
    x = apply_site(p, PEFT_BLOCK_IN, PEFT_SA, l, PF_NONE, x);
    pf_val y = norm(p, PEFT_NORM1, l, x, weight(p, "blocks.%lld.norm1.weight", n),
                    weight(p, "blocks.%lld.norm1.bias", n));
    x = residual(p, l, PEFT_SA, x, attention(p, l, y));
    y = norm(p, PEFT_NORM2, l, x, weight(p, "blocks.%lld.norm2.weight", n),
             weight(p, "blocks.%lld.norm2.bias", n));
    x = residual(p, l, PEFT_MLP, x, mlp(p, l, y));
    return apply_site(p, PEFT_BLOCK_OUT, PEFT_MLP, l, PF_NONE, x);
}

/* The backbone's final norm, with what adapters do at its site; a network without one (`no_final_norm`): x. */
static pf_val final_norm(const vit_pass *p, pf_val x)
{
    const char *name = p->shape->mean_pool ? "fc_norm" : "norm";      /* as the backbone was trained */
    if (p->shape->no_final_norm) return apply_site(p, PEFT_NORM, PEFT_FINAL, NO_LAYER, x, x);
    return norm(p, PEFT_FINAL, NO_LAYER, x, weight(p, "%s.weight", name), weight(p, "%s.bias", name));
}

/* pf_graph.norm: one of the two norms, for methods. */
static pf_val norm_of(const void *pass, pf_val x, bool final)
{
    return final ? final_norm(pass, x) : pre_norm(pass, x);
}

/* The input of the head: the pooled token, or all patch tokens, after the final norm, if there is one.
 * Pooling comes first: the norm of the class token alone equals row 0 of the norm of all tokens, and costs less. */
static pf_val pool(const vit_pass *p, pf_val x, bool all_patches)
{
    const pf_vit_shape *v = p->shape;
    int64_t patches = pf_vit_grid(v) * pf_vit_grid(v);
    if (p->g->status) return PF_NONE;
    int64_t prefix = pf_v(p->g, x)->shape.dim[1] - patches;
    const pf_val tokens = x;
    if (all_patches) x = peft_sys_take_rows(p->g, x, prefix, patches);
    else x = p->mean_pool ? peft_sys_mean_rows(p->g, x, prefix, patches) : peft_sys_take_rows(p->g, x, CLASS_ROW, 1);
    return apply_site(p, PEFT_POOL, PEFT_FINAL, NO_LAYER, tokens, final_norm(p, x));
}

/* The whole pass, from images to the input of the head; reports the values to the tap function. */
static pf_val forward(const vit_pass *p, pf_val images)
{
    char name[32];
    pf_val (*const outer_norm)(const void *, pf_val, bool) = p->g->norm;
    const void *const outer_pass = p->g->pass;    /* a side network is built at a site of the backbone's pass */
    p->g->norm = norm_of;
    p->g->pass = p;
    pf_val x = embed(p, images);
    report_tap(p, "embed", x);
    for (int64_t l = 0; l < p->shape->depth; l++) {
        x = block(p, l, x);
        snprintf(name, sizeof name, "block.%lld", (long long)l);
        report_tap(p, name, x);
    }
    x = pool(p, x, p->patches);
    report_tap(p, "feature", x);
    p->g->norm = outer_norm;
    p->g->pass = outer_pass;
    return x;
}

/* The forward pass of the backbone (scope "") or of a declared network. At its sites `at` is called; NULL: the model's
 * adapters act there. */
pf_val peft_sys_vit_forward(peft_build *g, const peft_net *net, const char *scope, pf_val images, peft_site_fn at,
                       void *user)
{
    vit_pass p = { .m = net->model, .g = g, .scope = scope, .shape = &net->model->backbone->shape,
                   .mean_pool = net->model->mean_pool, .site_fn = at, .site_user = user };
    if (*scope) {
        p.shape = pf_adapter_network(net->adapter, scope);
        if (!p.shape)
            return pf_graph_fail(g, pf_fail(PEFT_E_INTERNAL, "no network was declared with scope '%s'", scope));
        p.mean_pool = p.shape->mean_pool;
    }
    return forward(&p, images);
}

/* Checks the shape of the logits, which methods may have changed by what they did to the values before. */
static pf_val check_logits(const peft_model *m, pf_graph *g, pf_val logits)
{
    if (g->status) return PF_NONE;
    if (m->head == &pf_head_none) return logits;                     /* the pooled feature */
    const int64_t rows = g->batch * pf_shape_count(&m->output) / m->classes;
    if (pf_exists(logits) && pf_cols(g, logits) == m->classes && pf_rows(g, logits) == rows) return logits;
    return pf_graph_fail(g, pf_fail(PEFT_E_OPTION, "the logits are [%lld, %lld], expected [%lld, %lld] (samples%s, "
                                    "classes): an adapter does not fit the model",
                                    (long long)pf_rows(g, logits), (long long)pf_cols(g, logits), (long long)rows,
                                    (long long)m->classes, m->output.ndim > 1 ? " times patches" : ""));
}

/* pf_graph.weight: lets a method ask for a tensor of the backbone by its name. */
static pf_val weight_of(const void *model, pf_graph *g, const char *name) { return pf_model_weight(model, g, name); }

pf_val pf_model_images(const peft_model *m, pf_graph *g)
{
    const int64_t side = m->backbone->shape.image;
    return pf_input_add(g, "images", pf_shape_of(4, g->batch, (int64_t)3, side, side), PF_IN_BY_ID);
}

/* A method with a network of its own replaces the backbone's pass and the head. */
pf_val pf_model_forward(const peft_model *m, pf_graph *g, pf_val images, pf_tap_fn fn, void *user)
{
    vit_pass p = { .m = m, .g = g, .scope = "", .shape = &m->backbone->shape, .mean_pool = m->mean_pool,
                   .patches = m->head->patches, .tap = fn, .tap_user = user };
    g->weight = weight_of;
    g->model = m;
    for (size_t i = 0; i < m->adapters; i++) {
        const peft_net net = { m, m->adapter[i] };
        if (!m->adapter[i]->method->network) continue;
        if (m->head->emit || m->adapters > 1)
            return pf_graph_fail(g, pf_fail(PEFT_E_STATE,
                                            "method '%s' has a network of its own: expected a model with head "
                                            "side_encoder and no other adapter", m->adapter[i]->method->name));
        g->constants = &m->adapter[i]->constants;
        pf_val logits = m->adapter[i]->method->network(m->adapter[i]->state, g, &net, images);
        return check_logits(m, g, logits);
    }
    if (!m->head->emit)
        return pf_graph_fail(g, pf_fail(PEFT_E_STATE,
                                        "head side_encoder: expected an adapter with a network of its own"));
    return check_logits(m, g, m->head->emit(m, g, forward(&p, images)));
}
