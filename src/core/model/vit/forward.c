/* SPDX-License-Identifier: Apache-2.0
 * forward.c -- builds the forward pass of a Vision Transformer as a graph, from images to the feature: of the backbone
 * with the model's adapters, and of the networks that methods declare. */
#include <stdio.h>
#include "core/model/vit/pass.h"

/* CLIP's norm before block 0; x where the network has none. */
static pf_val pre_norm(const pf_vit_pass *p, pf_val x)
{
    return p->shape->norm_pre ? pf_pass_inner_norm(p, PF_OUTSIDE_BLOCKS, "norm_pre", x) : x;
}

/* Images to tokens: patch embedding, class token, positions, registers. The class token is the first row, if there is
 * one; then come the registers, then the patches. */
static pf_val embed(const pf_vit_pass *p, pf_val images)
{
    const pf_vit_shape *v = p->shape;
    pf_graph *g = p->g;
    images = pf_pass_value_site(p, PEFT_IMAGE, PEFT_PATCH, PF_OUTSIDE_BLOCKS, PF_NONE, images);
    pf_val x = pf_emit(g, &pf_op_patches, &(pf_attr){ .i = { v->patch } }, 1, (pf_val[]){ images });
    x = pf_pass_linear(p, PEFT_PATCH, PF_OUTSIDE_BLOCKS, "patch_embed.proj", x);
    const pf_val class_token = pf_pass_weight(p, PF_OUTSIDE_BLOCKS, "cls_token");
    if (v->pos_prefix) x = peft_sys_insert_rows(g, x, 0, class_token);
    if (v->pos_embed) x = peft_sys_add(g, x, pf_pass_weight(p, PF_OUTSIDE_BLOCKS, "pos_embed"));
    if (v->class_token && !v->pos_prefix) x = peft_sys_insert_rows(g, x, 0, class_token);
    const pf_val registers = pf_pass_weight(p, PF_OUTSIDE_BLOCKS, "reg_token");
    if (v->registers) x = peft_sys_insert_rows(g, x, v->class_token, registers);
    return pf_pass_value_site(p, PEFT_TOKENS, PEFT_PATCH, PF_OUTSIDE_BLOCKS, PF_NONE, pre_norm(p, x));
}

/* pf_graph.norm: one of the two norms, for methods. */
static pf_val norm_of(const void *pass, pf_val x, bool final)
{
    return final ? pf_pass_final_norm(pass, x) : pre_norm(pass, x);
}

/* Sets those of x, what a head reads of blocks, that are patch tokens of block l. */
static void read_block(const pf_vit_pass *p, int64_t l, pf_val tokens, pf_val *x)
{
    const pf_head_spec *s = &p->m->spec;
    for (int i = 0; p->reads == PF_READS_BLOCKS && i < s->blocks; i++)
        if (s->block[i] == l) x[i] = pf_pass_patches(p, tokens);
}

/* The whole pass, from images to what the head reads (pf_head_reads); reports the values to the tap function. */
static void forward(const pf_vit_pass *p, pf_val images, pf_val read[PF_HEAD_BLOCKS_MAX])
{
    char name[32];
    pf_val (*const outer_norm)(const void *, pf_val, bool) = p->g->norm;
    const void *const outer_pass = p->g->pass;    /* a side network is built at a site of the backbone's pass */
    p->g->norm = norm_of;
    p->g->pass = p;
    pf_val x = embed(p, images);
    pf_pass_tap(p, "embed", x);
    for (int64_t l = 0; l < p->shape->depth; l++) {
        x = pf_pass_block(p, l, x);
        snprintf(name, sizeof name, "block.%lld", (long long)l);
        pf_pass_tap(p, name, x);
        read_block(p, l, x, read);
    }
    if (p->reads != PF_READS_BLOCKS) {
        read[0] = pf_pass_pool(p, x);
        pf_pass_tap(p, "feature", read[0]);
    }
    p->g->norm = outer_norm;
    p->g->pass = outer_pass;
}

/* The forward pass of the backbone (scope "") or of a declared network. At its sites `at` is called; NULL: the model's
 * adapters act there. */
pf_val peft_sys_vit_forward(peft_build *g, const peft_net *net, const char *scope, pf_val images, peft_site_fn at,
                            void *user)
{
    const pf_vit_shape shape = pf_vit_with_pool(&net->model->backbone->shape, net->model->pool);
    pf_vit_pass p = { .m = net->model, .g = g, .scope = scope, .shape = &shape, .site_fn = at, .site_user = user };
    if (*scope) {
        p.shape = pf_adapter_network(net->adapter, scope);
        if (!p.shape)
            return pf_graph_fail(g, pf_fail(PEFT_E_INTERNAL, "no network was declared with scope '%s'", scope));
    }
    pf_val read[PF_HEAD_BLOCKS_MAX] = { PF_NONE };
    forward(&p, images, read);
    return read[0];
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
                                    (long long)m->classes, m->head->of == PF_OF_PATCHES ? " times patches"
                                    : m->head->of == PF_OF_PIXELS ? " times pixels" : ""));
}

/* pf_graph.weight: lets a method ask for a tensor of the backbone by its name. */
static pf_val weight_of(const void *model, pf_graph *g, const char *name) { return pf_model_weight(model, g, name); }

pf_val pf_model_images(const peft_model *m, pf_graph *g)
{
    const pf_grid image = m->backbone->shape.image;
    return pf_input_add(g, "images", pf_shape_of(4, g->batch, (int64_t)3, image.h, image.w), PF_IN_BY_ID);
}

/* A method with a network of its own replaces the backbone's pass and the head. */
pf_val pf_model_forward(const peft_model *m, pf_graph *g, pf_val images, pf_tap_fn fn, void *user)
{
    const pf_vit_shape shape = pf_vit_with_pool(&m->backbone->shape, m->pool);
    pf_vit_pass p = { .m = m, .g = g, .scope = "", .shape = &shape, .reads = m->head->reads, .tap = fn,
                      .tap_user = user };
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
    pf_val read[PF_HEAD_BLOCKS_MAX] = { PF_NONE };
    forward(&p, images, read);
    return check_logits(m, g, m->head->emit(m, g, read));
}
