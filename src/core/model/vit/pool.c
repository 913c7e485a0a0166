/* SPDX-License-Identifier: Apache-2.0
 * pool.c -- pools the tokens that leave the last block to the feature that a head reads (pf_feature): class token, mean
 * of the patches, two of them side by side, or attention pooling. The final norm comes before or after that. */
#include <stdio.h>
#include "core/model/vit/pass.h"

enum { CLASS_ROW, FIRST_QUERY = 0 };

/* "norm" or "fc_norm". A model that reads another feature than its backbone was trained with may apply the backbone's
 * norm at the other place (pf_vit_with_pool). */
static const char *norm_name(const pf_vit_pass *p, bool after)
{
    const char *name = after ? "fc_norm" : "norm";
    if (pf_exists(pf_pass_weight_of(p, PF_OUTSIDE_BLOCKS, name, "weight"))) return name;
    return after ? "norm" : "fc_norm";
}

/* Does a norm of the pooled feature come last, with the site of role FINAL? The norm after attention pooling has
 * columns of its own and is no site. */
static bool norm_follows(const pf_vit_pass *p)
{
    return p->shape->fc_norm && p->shape->pool != PF_FEATURE_ATTENTION;
}

/* The norm of the tokens before pooling, if there is one. */
static pf_val norm_before(const pf_vit_pass *p, pf_val x)
{
    if (!p->shape->norm) return x;
    if (norm_follows(p)) return pf_pass_inner_norm(p, PF_OUTSIDE_BLOCKS, norm_name(p, false), x);
    return pf_pass_norm(p, PEFT_FINAL, PF_OUTSIDE_BLOCKS, norm_name(p, false), x);
}

/* The norm of the pooled feature, if there is one. A network without any norm has the site of role FINAL here. */
static pf_val norm_after(const pf_vit_pass *p, pf_val x)
{
    if (norm_follows(p)) return pf_pass_norm(p, PEFT_FINAL, PF_OUTSIDE_BLOCKS, norm_name(p, true), x);
    if (p->shape->norm || p->shape->pool == PF_FEATURE_ATTENTION) return x;
    return pf_pass_value_site(p, PEFT_NORM, PEFT_FINAL, PF_OUTSIDE_BLOCKS, x, x);
}

pf_val pf_pass_final_norm(const pf_vit_pass *p, pf_val x) { return norm_after(p, norm_before(p, x)); }

static pf_val linear(const pf_vit_pass *p, pf_val x, const char *stem)
{
    return peft_sys_linear(p->g, x, pf_pass_weight_of(p, PF_OUTSIDE_BLOCKS, stem, "weight"),
                           pf_pass_weight_of(p, PF_OUTSIDE_BLOCKS, stem, "bias"));
}

/* A norm with the epsilon of attention pooling. */
static pf_val norm(const pf_vit_pass *p, pf_val x, const char *stem)
{
    return peft_sys_layernorm(p->g, x, pf_pass_weight_of(p, PF_OUTSIDE_BLOCKS, stem, "weight"),
                              pf_pass_weight_of(p, PF_OUTSIDE_BLOCKS, stem, "bias"), p->shape->attn_pool.eps);
}

/* a and b [b,1,d] as [b,1,2d]. */
static pf_val side_by_side(pf_graph *g, pf_val a, pf_val b)
{
    if (g->status) return PF_NONE;
    pf_attr at = { .i = { 0, pf_cols(g, a) }, .shape = pf_v(g, a)->shape };
    at.shape.dim[2] += pf_cols(g, b);
    return pf_emit(g, &pf_op_concat_cols, &at, 2, (pf_val[]){ a, b });
}

/* proj, then x + mlp(norm(x)). */
static pf_val project(const pf_vit_pass *p, pf_val x)
{
    x = linear(p, x, "attn_pool.proj");
    if (!p->shape->attn_pool.mlp) return x;
    pf_val y = linear(p, norm(p, x, "attn_pool.norm"), "attn_pool.mlp.fc1");
    y = linear(p, peft_sys_activate(p->g, y, pf_act_name(p->shape->attn_pool.act)), "attn_pool.mlp.fc2");
    return peft_sys_add(p->g, x, y);
}

/* Attention pooling of the tokens from row `first` on, [b,t,d] to [b,1,width]. Each query attends alone, so that those
 * after the first one, which other uses of such a network read, need not be computed. */
static pf_val attend(const pf_vit_pass *p, pf_val tokens, int64_t first)
{
    const pf_attn_pool *a = &p->shape->attn_pool;
    pf_graph *g = p->g;
    const int64_t first_query = FIRST_QUERY, count = 1;
    pf_val x = norm_before(p, tokens);
    if (first) x = peft_sys_take_rows(g, x, first, peft_sys_extent(g, x, 1) - first);
    if (a->norms) x = norm(p, x, "attn_pool.ln_k");
    const pf_val queries = peft_sys_select(g, pf_pass_weight(p, PF_OUTSIDE_BLOCKS, "attn_pool.latent"), 0);
    pf_val q = peft_sys_slice(g, queries, first_query, count);
    if (a->norms) q = norm(p, q, "attn_pool.ln_q");
    q = peft_sys_repeat_batch(g, linear(p, q, "attn_pool.q"));
    const pf_val kv = linear(p, x, "attn_pool.kv");
    const peft_site s = { .where = PEFT_ATTN, .q = q, .k = pf_columns(g, kv, 0, a->width),
                          .v = pf_columns(g, kv, a->width, a->width) };
    x = project(p, peft_sys_attention(g, a->heads, &s));
    return p->shape->fc_norm ? norm(p, x, "fc_norm") : x;
}

pf_val pf_pass_patches(const pf_vit_pass *p, pf_val x)
{
    const int64_t patches = pf_vit_patches(p->shape);
    return peft_sys_take_rows(p->g, x, peft_sys_extent(p->g, x, 1) - patches, patches);
}

/* The norm of a row costs less than that of all tokens: the class token and the patches are taken first where that
 * gives the same. */
static pf_val pooled(const pf_vit_pass *p, pf_val tokens)
{
    const pf_vit_shape *v = p->shape;
    pf_graph *g = p->g;
    const int64_t all = peft_sys_extent(g, tokens, 1), patches = pf_vit_patches(v);
    const int64_t prefix = all - patches, first = v->pool_all ? 0 : prefix, one = 1;
    pf_val x;
    if (p->reads == PF_READS_PATCHES) return pf_pass_final_norm(p, pf_pass_patches(p, tokens));
    switch (v->pool) {
    case PF_FEATURE_CLS: return pf_pass_final_norm(p, peft_sys_take_rows(g, tokens, CLASS_ROW, one));
    case PF_FEATURE_MEAN:
        if (!v->norm) return pf_pass_final_norm(p, peft_sys_mean_rows(g, tokens, first, all - first));
        x = norm_before(p, peft_sys_take_rows(g, tokens, first, all - first));
        return norm_after(p, peft_sys_mean_rows(g, x, 0, all - first));
    case PF_FEATURE_CLS_MEAN:
        x = pf_pass_final_norm(p, tokens);
        return side_by_side(g, peft_sys_take_rows(g, x, CLASS_ROW, one), peft_sys_mean_rows(g, x, prefix, patches));
    case PF_FEATURE_CLS_DIST:                            /* the registers stand before the patches */
        x = pf_pass_final_norm(p, tokens);
        return side_by_side(g, peft_sys_take_rows(g, x, CLASS_ROW, one),
                            peft_sys_take_rows(g, x, prefix - v->registers, one));
    default: return attend(p, tokens, first);            /* PF_FEATURE_ATTENTION */
    }
}

pf_val pf_pass_pool(const pf_vit_pass *p, pf_val tokens)
{
    if (p->g->status) return PF_NONE;
    const pf_val x = pooled(p, tokens);
    const pf_val out = pf_pass_value_site(p, PEFT_POOL, PEFT_FINAL, PF_OUTSIDE_BLOCKS, tokens, x);
    if (p->g->status || pf_cols(p->g, out) == pf_cols(p->g, x)) return out;
    return pf_graph_fail(p->g, pf_fail(PEFT_E_UNSUPPORTED, "an adapter pools the tokens itself, to %lld columns, but "
                                       "the head reads %lld (pool=%s): expected a model with pool=cls or pool=mean",
                                       (long long)pf_cols(p->g, out), (long long)pf_cols(p->g, x),
                                       pf_feature_name(p->shape->pool)));
}
