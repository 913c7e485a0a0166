/* SPDX-License-Identifier: Apache-2.0
 * oft.c -- Orthogonal Fine-Tuning (Qiu et al., NeurIPS 2023): the input x of chosen linear layers is rotated, y = (x R)
 * W^T + bias. R is block-diagonal; each block is the Cayley transform of a learned skew-symmetric matrix, or the first
 * terms of a series for it (Qiu et al. 2025, "OFTv2"). */
#include <peft/sys/method.h>
#include <stdio.h>
#include "targets.h"

typedef struct { peft_param *packed; int64_t size; } rotation;   /* packed NULL: the layer is not adapted */
typedef struct { rotation at[PEFT_DEPTH_MAX][PF_LAYERS]; int64_t terms; peft_vit vit; } oft;

static const peft_option opts[] = {
    { "block_size", 'i', "32", 0, 4096, "side of a block of R; 0: by blocks" },
    { "blocks",     'i', "0", 0, 4096, "blocks of R; 0: by block_size" },
    { "share",      'b', "false", 0, 0, "one matrix for all blocks of a layer" },
    { "terms",      'i', "5", 0, 64, "terms of the series for the Cayley transform; 0: exact" },
    { "targets",    's', "attn.q,attn.v", 0, 0, "any of " PF_TARGET_NAMES " but the last; also "
      PF_OTHER_TARGET_NAMES },
    { "layers",     's', "all", 0, 0, "blocks of the backbone that are adapted" },
    { 0 } };

/* The divisor of n that is nearest to x, the smaller one of two, as PEFT chooses it. */
static int64_t nearest_divisor(int64_t n, int64_t x)
{
    int64_t above = x, below = x;
    if (x >= n) return n;
    while (n % above) above++;
    while (below > 1 && n % below) below--;
    return x - below <= above - x ? below : above;
}

static void declare(peft_adapter *a, oft *m, const peft_vit *v, int64_t l, pf_layer k)
{
    char path[PF_LAYER_PATH];
    const int64_t in = pf_layer_in(v, k), blocks = peft_sys_opt_int(a, "blocks");
    const int64_t size = blocks ? in / nearest_divisor(in, blocks)
                                : nearest_divisor(in, peft_sys_opt_int(a, "block_size"));
    const int64_t matrices = peft_sys_opt_int(a, "share") ? 1 : in / size;
    if (size < 2) {
        peft_sys_reject_option(a, blocks ? "blocks" : "block_size", "blocks of side 2 or more");
        return;
    }
    pf_layer_path(path, k, l);
    m->at[l][k].size = size;
    m->at[l][k].packed = peft_sys_declare(a, PEFT_DIMS(matrices, size * (size - 1) / 2), "zero", "%s.oft_R.weight",
                                          path);
}

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    oft *m = peft_sys_state(a);
    const pf_targets t = pf_read_targets(a, v, "targets", "layers");
    m->terms = peft_sys_opt_int(a, "terms");
    m->vit = *v;
    if (!t.kinds || t.patch)
        peft_sys_reject_option(a, "targets", "some of " PF_TARGET_NAMES ", each once, but the last; also "
                               PF_OTHER_TARGET_NAMES);
    if (pf_targets_overlap(&t)) peft_sys_reject_option(a, "targets", PF_NO_OVERLAP);
    if (!peft_sys_opt_int(a, "blocks") == !peft_sys_opt_int(a, "block_size"))
        peft_sys_reject_option(a, "blocks", "0, or block_size=0: one of them determines the other");
    for (int64_t l = 0; l < v->depth; l++)
        for (int k = 0; k < PF_LAYERS; k++)
            if (pf_is_target(&t, (pf_layer)k, l) && !peft_sys_init_status(a)) declare(a, m, v, l, (pf_layer)k);
    return peft_sys_init_status(a);
}

static peft_val rotated(const oft *m, peft_build *b, const rotation *t, peft_val x)
{
    return peft_sys_rotate(b, x, peft_sys_cayley(b, peft_sys_param(b, t->packed), t->size, m->terms));
}

/* Rotates at the input of layers that have a site there. Others add (x R - x) W^T to their output; for attn.qkv q, k
 * and v do that, with a value that its own site keeps. */
static void emit(const void *state, peft_build *b, peft_site *s)
{
    static const char kept[] = "oft";
    const oft *m = state;
    if (s->layer < 0) return;
    for (int i = 0; i < PF_LAYERS; i++) {
        const pf_layer k = (pf_layer)i;
        const rotation *t = &m->at[s->layer][k];
        const bool q_k_or_v = s->role >= PEFT_Q && s->role <= PEFT_V;
        const bool own_input = k == PF_LAYER_PROJ || k == PF_LAYER_FC1 || k == PF_LAYER_FC2;
        if (!t->packed || (pf_layer_names[k].role != s->role && !(k == PF_LAYER_QKV && q_k_or_v))) continue;
        if (own_input && s->where == PEFT_LINEAR_IN) s->out = rotated(m, b, t, s->out);
        if (own_input || s->where != PEFT_LINEAR) continue;
        peft_val change = k == PF_LAYER_QKV && q_k_or_v ? peft_sys_value(b, kept)
                        : peft_sys_add(b, rotated(m, b, t, s->in), peft_sys_scale(b, s->in, -1));
        if (s->role == PEFT_QKV) {
            peft_sys_set_value(b, kept, change);
            continue;
        }
        peft_val w = pf_is_half(k) ? peft_sys_slice(b, s->w, pf_layer_first_row(&m->vit, k), m->vit.mlp) : s->w;
        s->out = peft_sys_add(b, s->out, pf_whole_output(b, &m->vit, k, peft_sys_linear(b, change, w, PEFT_NONE)));
    }
}

/* y = (x R) W^T = x (W R^T)^T. others: another adapter of the model changes weights too. */
static void merge(const void *state, peft_merge *mg, const peft_vit *v, bool others)
{
    const oft *m = state;
    char path[PF_LAYER_PATH];
    if (others) peft_sys_merge_refuse(mg, "its rotations beside another adapter");
    for (int64_t l = 0; l < v->depth; l++)
        for (int i = 0; i < PF_LAYERS; i++) {
            const pf_layer k = (pf_layer)i;
            const rotation *t = &m->at[l][k];
            if (!t->packed) continue;
            pf_layer_tensor_path(path, k, l);
            peft_sys_merge_rotate(mg, peft_sys_merge_tensor(mg, "%s.weight", path), pf_layer_first_row(v, k),
                                  pf_layer_out(v, k), t->packed, t->size, pf_layer_in(v, k), m->terms);
        }
}

const peft_method pf_method_oft = {
    .name = "oft", .summary = "rotations of the inputs of linear layers", .paper = "arXiv:2306.07280", .opts = opts,
    .sites = PEFT_AT(PEFT_LINEAR) | PEFT_AT(PEFT_LINEAR_IN), .state_size = sizeof(oft), .init = init, .emit = emit,
    .merge = merge };
