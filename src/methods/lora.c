/* SPDX-License-Identifier: Apache-2.0
 * lora.c -- Low-Rank Adaptation (Hu et al., ICLR 2022): y += scale (x A^T) B^T beside chosen linear layers, with
 * scale = alpha/r, or alpha/sqrt(r) (rsLoRA). On the fused attn.qkv one A serves q, k and v; attn.q, attn.k and attn.v
 * have factors of their own. DoRA (Liu et al., ICML 2024): y = (m/n) (x W^T + scale (x A^T) B^T) + bias, where m are
 * the learned magnitudes and n the row norms of W + scale B A, which are constant in the backward pass. */
#include <peft/sys/method.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "targets.h"

#define RANK_MAX 4096

/* The factors of one linear layer: A [r,in] and B [out,r]; magnitude: DoRA's m [out], or NULL; bias: the trained bias
 * of a part of a tensor, or NULL. a NULL: the layer is not adapted. */
typedef struct { peft_param *a, *b, *magnitude, *bias; double scale; } pair;
/* at[l][k]: the pair of layer k in block l, or outside the blocks (PF_OUTSIDE). */
typedef struct { pair at[PF_OUTSIDE + 1][PF_LAYERS]; double dropout; peft_vit vit; } lora;

static const peft_option opts[] = {
    { "r",        'i', "8", 1, RANK_MAX, "rank: columns of B, rows of A" },
    { "alpha",    'f', "8", 0, 1e6, "the update is scaled by alpha / r" },
    { "rslora",   'b', "false", 0, 0, "scale by alpha / sqrt(r)" },
    { "dora",     'b', "false", 0, 0, "a learned magnitude for every output row" },
    { "targets",  's', "attn.q,attn.v", 0, 0, "any of " PF_TARGET_NAMES "; also " PF_OTHER_TARGET_NAMES },
    { "layers",   's', "all", 0, 0, "blocks that are adapted" },
    { "dropout",  'f', "0", 0, 0.99, "dropout on the input of A, in training" },
    { "init",     's', "kaiming", 0, 0, "initial values of A: kaiming, gaussian (std 1/r) or zero; B starts at zero" },
    { "rank_pattern",  's', "", 0, 0, "ranks of single layers: attn.qkv=16,blocks.3.mlp.fc1=4" },
    { "alpha_pattern", 's', "", 0, 0, "alphas of single layers, as rank_pattern" },
    { "bias",          's', "none", 0, 0, "biases that are trained too: none, lora_only (those of the adapted layers) "
      "or all (every bias of the backbone)" },
    { "train_norm",    'b', "false", 0, 0, "train the final norm too" },
    { "norm_init",     's', "backbone", 0, 0, "initial values of the trained norm: backbone (those of the backbone) "
      "or one (weight 1, bias 0)" },
    { "preset",        's', "none", 0, 0, "a set of other defaults: med_peft, or none; options that are given have "
      "precedence" },
    { 0 } };

/* The setting of MED-PEFT (Lian et al. 2024), with its scale of 32 / r. */
static const peft_preset presets[] = {
    { "med_peft", "targets=[attn.q,attn.v],alpha=32,dropout=0.1,train_norm=true,norm_init=one" }, { 0 } };

/* With option train_norm makes the final norm trainable. A backbone has norm or fc_norm; peft_sys_unfreeze does nothing
 * for a name that it lacks. */
static void train_norm(peft_adapter *ad)
{
    static const struct { const char *name, *value; } norm[] = {       /* value: with norm_init=one */
        { "norm.weight", "one" }, { "fc_norm.weight", "one" }, { "norm.bias", "zero" }, { "fc_norm.bias", "zero" } };
    const char *init = peft_sys_opt_string(ad, "norm_init");
    const bool one = !strcmp(init, "one");
    if (!one && strcmp(init, "backbone")) peft_sys_reject_option(ad, "norm_init", "backbone or one");
    if (!peft_sys_opt_int(ad, "train_norm")) return;
    for (size_t i = 0; i < sizeof norm / sizeof *norm; i++) {
        peft_sys_unfreeze(ad, norm[i].name);
        if (one) peft_sys_set_init(ad, peft_sys_find_declared(ad, norm[i].name), norm[i].value);
    }
}

/* Declares a vector with an element for each output of layer k: [out], for halves of fc1 [1,out]. */
static peft_param *declare_vector(peft_adapter *ad, const peft_vit *v, pf_layer k, const char *init, const char *path,
                                  const char *ending)
{
    const int64_t n = pf_layer_out(v, k);
    return pf_is_half(k) ? peft_sys_declare(ad, PEFT_DIMS(1, n), init, "%s%s", path, ending)
                      : peft_sys_declare(ad, PEFT_DIMS(n), init, "%s%s", path, ending);
}

/* Makes the bias of layer k trainable (bias=lora_only): that of a whole tensor as a copy of the backbone's, that of its
 * part as a parameter of its own, so that the rest of the tensor's bias does not change. */
static void train_bias(peft_adapter *ad, pair *t, const peft_vit *v, int64_t layer, pf_layer k)
{
    char path[PF_LAYER_PATH], tensor[PF_LAYER_PATH + 8];
    pf_layer_tensor_path(path, k, layer);
    snprintf(tensor, sizeof tensor, "%s.bias", path);
    if (!peft_sys_backbone_has(ad, tensor)) return;        /* as in PEFT: a layer without a bias gets none */
    if (!pf_is_part(k)) {
        peft_sys_unfreeze(ad, tensor);
        return;
    }
    pf_layer_path(path, k, layer);
    t->bias = declare_vector(ad, v, k, "zero", path, ".bias");
    peft_sys_fill_rows(ad, t->bias, tensor, pf_layer_first_row(v, k));
}

/* Declares the pair t of layer k in block `layer`, or PF_OUTSIDE the blocks. */
static void declare(peft_adapter *ad, pair *t, const peft_vit *v, int64_t layer, pf_layer k)
{
    char path[PF_LAYER_PATH], tensor[PF_LAYER_PATH], weight[PF_LAYER_PATH + 8];
    const char *init = peft_sys_opt_string(ad, "init");
    pf_layer_path(path, k, layer);
    pf_layer_tensor_path(tensor, k, layer);
    const double rank = peft_sys_opt_pattern(ad, "rank_pattern", path, (double)peft_sys_opt_int(ad, "r"));
    const double alpha = peft_sys_opt_pattern(ad, "alpha_pattern", path, peft_sys_opt_float(ad, "alpha"));
    const bool whole = rank >= 1 && rank <= RANK_MAX && rank == floor(rank);
    const int64_t r = whole ? (int64_t)rank : 1;
    if (!whole) peft_sys_reject_option(ad, "rank_pattern", "name=rank, ranks whole numbers from 1 to 4096");
    if (!(alpha >= 0 && alpha <= 1e6)) peft_sys_reject_option(ad, "alpha_pattern", "name=alpha, alphas from 0 to 1e6");
    t->scale = alpha / (peft_sys_opt_int(ad, "rslora") ? sqrt((double)r) : (double)r);
    if (!strcmp(init, "gaussian")) init = peft_sys_init_rule(ad, "normal", 1 / (double)r);
    else if (strcmp(init, "kaiming") && strcmp(init, "zero"))
        peft_sys_reject_option(ad, "init", "kaiming, gaussian or zero");
    t->a = peft_sys_declare(ad, PEFT_DIMS(r, pf_layer_in(v, k)), init, "%s.lora_A.weight", path);
    t->b = peft_sys_declare(ad, PEFT_DIMS(pf_layer_out(v, k), r), "zero", "%s.lora_B.weight", path);
    if (peft_sys_opt_int(ad, "dora")) {
        snprintf(weight, sizeof weight, "%s.weight", tensor);
        t->magnitude = declare_vector(ad, v, k, "one", path, ".lora_magnitude_vector");
        peft_sys_fill_row_norms(ad, t->magnitude, weight, pf_layer_first_row(v, k));
    }
    if (!strcmp(peft_sys_opt_string(ad, "bias"), "lora_only")) train_bias(ad, t, v, layer, k);
}

/* With DoRA a layer and a part of it cannot both be adapted: a row would have two magnitudes. */
static void check_targets(peft_adapter *ad, const pf_targets *t)
{
    const bool dora = peft_sys_opt_int(ad, "dora") != 0;
    const char *bias = peft_sys_opt_string(ad, "bias");
    if (!t->kinds)
        peft_sys_reject_option(ad, "targets", "some of " PF_TARGET_NAMES ", each once; also " PF_OTHER_TARGET_NAMES);
    if (dora && pf_targets_overlap(t)) peft_sys_reject_option(ad, "targets", "with dora=true " PF_NO_OVERLAP);
    if (strcmp(bias, "none") && strcmp(bias, "lora_only") && strcmp(bias, "all"))
        peft_sys_reject_option(ad, "bias", "none, lora_only or all");
}

static peft_status init(peft_adapter *ad, const peft_vit *v)
{
    lora *m = peft_sys_state(ad);
    peft_sys_opt_preset(ad, "preset", presets);
    const pf_targets targets = pf_read_targets(ad, v, "targets", "layers");
    m->dropout = peft_sys_opt_float(ad, "dropout");
    m->vit = *v;
    check_targets(ad, &targets);
    for (int i = 0; i < PF_LAYERS; i++) {
        const pf_layer k = (pf_layer)i;
        if (pf_is_target(&targets, k, PF_OUTSIDE)) declare(ad, &m->at[PF_OUTSIDE][k], v, PF_OUTSIDE, k);
        for (int64_t l = 0; l < v->depth; l++) if (pf_is_target(&targets, k, l)) declare(ad, &m->at[l][k], v, l, k);
    }
    if (!strcmp(peft_sys_opt_string(ad, "bias"), "all")) peft_sys_unfreeze(ad, "*bias*");
    train_norm(ad);
    return peft_sys_init_status(ad);
}

/* The rows of B as rows of the layer's whole tensor: those of a half of mlp.fc1, with zeros for the other half. */
static peft_val whole_b(peft_build *b, const lora *m, const pair *t, pf_layer k)
{
    peft_val rows = peft_sys_param(b, t->b);
    if (!pf_is_half(k)) return rows;
    const int64_t rank = peft_sys_extent(b, rows, 1);
    peft_val zeros = peft_sys_constant(b, PEFT_DIMS(m->vit.mlp, rank), pf_fill_zeros, NULL, "zeros.%d", (int)rank);
    return peft_sys_insert_rows(b, zeros, pf_layer_first_row(&m->vit, k), rows);
}

/* The value added to the layer's output for its input x: scale (dropout(x) A^T) B^T. */
static peft_val low_rank_update(const lora *m, peft_build *b, const pair *t, pf_layer k, peft_val x)
{
    x = peft_sys_linear(b, peft_sys_dropout(b, x, m->dropout), peft_sys_param(b, t->a), PEFT_NONE);
    return peft_sys_linear(b, peft_sys_scale(b, x, t->scale), whole_b(b, m, t, k), PEFT_NONE);
}

/* A vector x [1,mlp] of a half of fc1 as a vector [1,fc1], whose other half is fill's; that of another layer is x. */
static peft_val whole_vector(peft_build *b, const lora *m, pf_layer k, peft_val x, peft_fill_fn fill)
{
    if (!pf_is_half(k)) return x;
    peft_val rest = peft_sys_constant(b, PEFT_DIMS(m->vit.mlp, 1), fill, NULL, fill == pf_fill_ones ? "ones" : "zeros");
    x = peft_sys_insert_rows(b, rest, pf_layer_first_row(&m->vit, k), peft_sys_transpose(b, x));
    return peft_sys_transpose(b, x);
}

/* DoRA: s->out, which is x W^T + bias + update, becomes c (out - bias) + bias with c = m / n. The rows of w are rows
 * first .. first + rows - 1 of B and m: a third of them, for q, k or v, if the pair belongs to attn.qkv. */
static void renormalise(peft_build *b, const lora *m, peft_site *s, const pair *t, pf_layer k)
{
    const bool rows_of_qkv = k == PF_LAYER_QKV;
    const int64_t first = rows_of_qkv ? (s->role - PEFT_Q) * m->vit.width : 0;
    const int64_t rows = pf_is_half(k) ? m->vit.mlp : peft_sys_extent(b, s->w, 0);
    peft_val w = pf_is_half(k) ? peft_sys_slice(b, s->w, pf_layer_first_row(&m->vit, k), rows) : s->w;
    peft_val lora_b = peft_sys_slice(b, peft_sys_param(b, t->b), first, rows);
    peft_val inverse = peft_sys_inverse_row_norms(b, w, peft_sys_param(b, t->a), lora_b, t->scale);
    peft_val magnitude = peft_sys_param(b, t->magnitude);
    if (!pf_is_half(k)) magnitude = peft_sys_slice(b, magnitude, first, rows);
    peft_val c = whole_vector(b, m, k, peft_sys_mul(b, magnitude, inverse), pf_fill_ones), shift = PEFT_NONE;
    if (s->bias.id) shift = peft_sys_add(b, peft_sys_scale(b, peft_sys_mul(b, c, s->bias), -1), s->bias);
    s->out = peft_sys_affine(b, s->out, c, shift);
}

/* Replaces the bias of a part of a tensor: s->out contains the backbone's. */
static void replace_bias(peft_build *b, const lora *m, peft_site *s, const pair *t, pf_layer k)
{
    peft_val old = pf_is_half(k) ? peft_sys_slice(b, s->bias, pf_layer_first_row(&m->vit, k), m->vit.mlp) : s->bias;
    peft_val change = peft_sys_add(b, peft_sys_param(b, t->bias), peft_sys_scale(b, old, -1));
    s->out = peft_sys_affine(b, s->out, PEFT_NONE, whole_vector(b, m, k, change, pf_fill_zeros));
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const lora *m = state;
    const bool q_k_or_v = s->role >= PEFT_Q && s->role <= PEFT_V;
    for (int i = 0; i < PF_LAYERS; i++) {
        const pf_layer k = (pf_layer)i;
        const pair *t = &m->at[s->layer < 0 ? PF_OUTSIDE : s->layer][k];
        if (!t->a) continue;
        /* The pair of attn.qkv updates at the site QKV; DoRA rescales q, k and v at their own sites. */
        const bool rows_of_qkv = k == PF_LAYER_QKV && q_k_or_v;
        if (pf_layer_names[k].role == s->role) s->out = peft_sys_add(b, s->out, low_rank_update(m, b, t, k, s->in));
        else if (!rows_of_qkv) continue;
        if (t->magnitude && s->role != PEFT_QKV) renormalise(b, m, s, t, k);
        if (t->bias) replace_bias(b, m, s, t, k);
    }
}

/* Merges the pair t of layer k: W += scale B A in the rows that t updates; with DoRA each of these rows is then scaled
 * to the length m. A trained bias replaces the rows of the backbone's. */
static void fold(peft_merge *mg, const peft_vit *v, const pair *t, int64_t layer, pf_layer k)
{
    char path[PF_LAYER_PATH];
    pf_layer_tensor_path(path, k, layer);
    const int64_t first = pf_layer_first_row(v, k);
    peft_sys_merge_low_rank(peft_sys_merge_tensor(mg, "%s.weight", path), first, t->a, t->b, t->scale, t->magnitude);
    peft_real *bias = t->bias ? peft_sys_merge_tensor(mg, "%s.bias", path) : NULL;
    if (bias) memcpy(bias + first, peft_sys_merge_value(t->bias), sizeof *bias * (size_t)pf_layer_out(v, k));
}

/* others: another adapter of the model changes weights too. */
static void merge(const void *state, peft_merge *mg, const peft_vit *v, bool others)
{
    const lora *m = state;
    for (int i = 0; i < (PF_OUTSIDE + 1) * PF_LAYERS; i++) {
        const pair *t = &m->at[i / PF_LAYERS][i % PF_LAYERS];
        if (t->magnitude && others) peft_sys_merge_refuse(mg, "DoRA's magnitudes beside another adapter");
        else if (t->a) fold(mg, v, t, i / PF_LAYERS, (pf_layer)(i % PF_LAYERS));
    }
}

const peft_method pf_method_lora = {
    .name = "lora", .summary = "low-rank updates of linear layers (rsLoRA, DoRA)", .paper = "arXiv:2106.09685",
    .opts = opts, .sites = PEFT_AT(PEFT_LINEAR), .state_size = sizeof(lora), .init = init, .emit = emit,
    .merge = merge };
