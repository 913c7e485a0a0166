/* SPDX-License-Identifier: Apache-2.0
 * lora.c -- Low-Rank Adaptation (Hu et al., ICLR 2022): y += s (x A^T) B^T beside chosen linear layers, s = alpha/r, or
 * alpha/sqrt(r) (rsLoRA). On the fused attn.qkv one A serves q, k and v; attn.q, attn.k, attn.v have factors of their
 * own. DoRA (Liu et al., ICML 2024): y = (m/n) (x W^T + s (x A^T) B^T) + b, n the row norms of W + s B A, constant in
 * the backward pass. */
#include "core/method.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TARGETS 8
static const struct { const char *name; pf_role role; } target[TARGETS] = {
    { "attn.qkv", PF_QKV }, { "attn.q", PF_Q }, { "attn.k", PF_K }, { "attn.v", PF_V },
    { "attn.proj", PF_PROJ }, { "mlp.fc1", PF_FC1 }, { "mlp.fc2", PF_FC2 }, { "patch_embed.proj", PF_PATCH } };

typedef struct { pf_param *a, *b, *m; double scale; int64_t rank; } pair;
typedef struct { pair at[65][TARGETS]; double drop; int64_t width; } lora;              /* [64]: outside the blocks */

static const pf_opt opts[] = {
    { "r",        'i', "8", 1, 4096, "inner width" },
    { "alpha",    'f', "8", 0, 1e6, "the update is scaled by alpha / r" },
    { "rslora",   'b', "false", 0, 0, "by alpha / sqrt(r) instead" },
    { "dora",     'b', "false", 0, 0, "a learned magnitude for every output row" },
    { "targets",  's', "attn.q,attn.v", 0, 0, "any of attn.qkv, attn.q, attn.k, attn.v, attn.proj, mlp.fc1, mlp.fc2,"
      " patch_embed.proj" },
    { "layers",   's', "all", 0, 0, "blocks that are adapted" },
    { "dropout",  'f', "0", 0, 0.99, "on the input of A, in training" },
    { "init",     's', "kaiming", 0, 0, "of A: kaiming, gaussian (std 1/r) or zero; B starts at zero" },
    { "rank_pattern",  's', "", 0, 0, "other ranks by name: attn.qkv=16,blocks.3.mlp.fc1=4" },
    { "alpha_pattern", 's', "", 0, 0, "other alphas by name" },
    { "train_norm",    'b', "false", 0, 0, "the final norm is trained too" },
    { 0 } };

static void declare(pf_adapter *ad, lora *m, const pf_vit *v, int64_t layer, int k)
{
    const int64_t c = v->width, f = v->mlp, g = v->fc1, p = v->patch_values;
    const int64_t in[TARGETS] = { c, c, c, c, c, c, f, p }, out[TARGETS] = { 3 * c, c, c, c, c, g, c, c };
    char path[64], weight[80];
    const char *init = pf_opt_string(ad, "init");
    if (layer < 64) snprintf(path, sizeof path, "blocks.%d.%s", (int)layer, target[k].name);
    else snprintf(path, sizeof path, "%s", target[k].name);
    pair *t = &m->at[layer][k];
    const int64_t r = (int64_t)pf_opt_pattern(ad, "rank_pattern", path, (double)pf_opt_int(ad, "r"));
    const double alpha = pf_opt_pattern(ad, "alpha_pattern", path, pf_opt_float(ad, "alpha"));
    if (r < 1) pf_reject(ad, "rank_pattern", "ranks of 1 or more");
    t->scale = alpha / (pf_opt_int(ad, "rslora") ? sqrt((double)r) : (double)r);
    if (!strcmp(init, "gaussian")) init = pf_rule(ad, "normal", 1 / (double)r);
    else if (strcmp(init, "kaiming") && strcmp(init, "zero")) pf_reject(ad, "init", "kaiming, gaussian or zero");
    t->rank = r;
    t->a = pf_declare(ad, PF_DIMS(r, in[k]), init, "%s.lora_A.weight", path);
    t->b = pf_declare(ad, PF_DIMS(out[k], r), "zero", "%s.lora_B.weight", path);
    if (pf_opt_int(ad, "dora")) {
        const bool part = target[k].role >= PF_Q && target[k].role <= PF_V;
        if (part) snprintf(weight, sizeof weight, "blocks.%d.attn.qkv.weight", (int)layer);
        else snprintf(weight, sizeof weight, "%s.weight", path);
        t->m = pf_declare(ad, PF_DIMS(out[k]), "one", "%s.lora_magnitude_vector", path);
        pf_fill_row_norms(ad, t->m, weight, part ? (target[k].role - PF_Q) * c : 0);
    }
}

static peft_status init(pf_adapter *ad, const pf_vit *v)
{
    lora *m = pf_state(ad);
    const uint64_t layers = pf_opt_layers(ad, "layers");
    int64_t known = 0;
    m->drop = pf_opt_float(ad, "dropout");
    m->width = v->width;
    for (int k = 0; k < TARGETS; k++) {
        if (!pf_opt_lists(ad, "targets", target[k].name)) continue;
        known++;
        if (target[k].role == PF_PATCH) declare(ad, m, v, 64, k);
        else for (int64_t l = 0; l < v->depth; l++) if (layers >> l & 1) declare(ad, m, v, l, k);
    }
    if (!known || known != pf_opt_items(ad, "targets"))
        pf_reject(ad, "targets", "some of attn.qkv, attn.q, attn.k, attn.v, attn.proj, mlp.fc1, mlp.fc2, "
                  "patch_embed.proj, each once");
    if (pf_opt_int(ad, "train_norm")) {
        pf_unfreeze(ad, "norm.*");
        pf_unfreeze(ad, "fc_norm.*");
    }
    return pf_done(ad);
}

static pf_val update(const lora *m, pf_build *b, const pair *t, pf_val x)
{
    x = pf_linear(b, pf_dropout(b, x, m->drop), pf_use(b, t->a), PF_NONE);
    return pf_linear(b, pf_scale(b, x, t->scale), pf_use(b, t->b), PF_NONE);
}

/* out holds x W^T + b + update; c (out - b) + b with c = m/n. first: this role's rows of the pair's m and B. */
static void renormalise(pf_build *b, pf_site *s, const pair *t, int64_t first, int64_t rows)
{
    pf_val inverse = pf_row_scale(b, s->w, pf_use(b, t->a), pf_slice(b, pf_use(b, t->b), first, rows), t->scale);
    pf_val c = pf_mul(b, pf_slice(b, pf_use(b, t->m), first, rows), inverse), shift = PF_NONE;
    if (s->bias.id) shift = pf_add(b, pf_scale(b, pf_mul(b, c, s->bias), -1), s->bias);
    s->out = pf_affine(b, s->out, c, shift);
}

static void emit(const void *state, pf_build *b, pf_site *s)
{
    const lora *m = state;
    for (int k = 0; k < TARGETS; k++) {
        const pair *t = &m->at[s->layer < 0 ? 64 : s->layer][k];
        if (!t->a) continue;
        bool part = target[k].role == PF_QKV && s->role >= PF_Q && s->role <= PF_V;      /* q, k or v of a fused pair */
        if (target[k].role == s->role) s->out = pf_add(b, s->out, update(m, b, t, s->in));
        else if (!part) continue;
        if (t->m && s->role != PF_QKV)
            renormalise(b, s, t, part ? (s->role - PF_Q) * m->width : 0, pf_extent(b, s->w, 0));
    }
}

/* W += s B A in the rows the pair acts on; DoRA: each of these rows to the length m. */
static void fold(pf_merge *mg, const pf_vit *v, const pair *t, int64_t layer, int k)
{
    const pf_role role = target[k].role;
    const int64_t c = v->width, first = role >= PF_Q && role <= PF_V ? (role - PF_Q) * c : 0;
    const int64_t cols = role == PF_FC2 ? v->mlp : role == PF_PATCH ? v->patch_values : c;
    const int64_t rows = role == PF_QKV ? 3 * c : role == PF_FC1 ? v->fc1 : c;
    const bool attention = role >= PF_QKV && role <= PF_V;
    pk_real *w = layer == 64 ? pf_merge_tensor(mg, "%s.weight", target[k].name)
                             : pf_merge_tensor(mg, "blocks.%d.%s.weight", (int)layer, attention ? "attn.qkv" : target[k].name);
    const pk_real *a = pf_merge_value(t->a), *b = pf_merge_value(t->b), *m = t->m ? pf_merge_value(t->m) : NULL;
    const int64_t r = t->rank;
    for (int64_t i = 0; w && i < rows; i++) {
        pk_real *row = w + (first + i) * cols;
        double sq = 0;
        for (int64_t j = 0; j < cols; j++) {
            double sum = 0;
            for (int64_t q = 0; q < r; q++) sum += (double)b[i * r + q] * (double)a[q * cols + j];
            row[j] = (pk_real)(row[j] + t->scale * sum);
            sq += (double)row[j] * (double)row[j];
        }
        for (int64_t j = 0; m && j < cols; j++) row[j] = (pk_real)(row[j] * (m[i] / sqrt(sq)));
    }
}

static void merge(const void *state, pf_merge *mg, const pf_vit *v, bool others)
{
    const lora *m = state;
    for (int64_t l = 0; l < 65; l++)
        for (int k = 0; k < TARGETS; k++) {
            if (!m->at[l][k].a) continue;
            if (m->at[l][k].m && others) pf_merge_refuse(mg, "DoRA's magnitudes beside another adapter");
            else fold(mg, v, &m->at[l][k], l, k);
        }
}

const pf_method pf_method_lora = {
    .name = "lora", .summary = "low-rank updates beside frozen linear layers (rsLoRA, DoRA)",
        .paper = "arXiv:2106.09685",
    .opts = opts, .sites = PF_AT(PF_LINEAR), .state_size = sizeof(lora), .init = init,
    .emit = emit, .merge = merge };
