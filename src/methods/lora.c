/* SPDX-License-Identifier: Apache-2.0
 * lora.c -- Low-Rank Adaptation (Hu et al., ICLR 2022): y += scale (x A^T) B^T beside chosen linear layers, with
 * scale = alpha/r, or alpha/sqrt(r) (rsLoRA). On the fused attn.qkv one A serves q, k and v; attn.q, attn.k and attn.v
 * have factors of their own. DoRA (Liu et al., ICML 2024): y = (m/n) (x W^T + scale (x A^T) B^T) + bias, where m are
 * the learned magnitudes and n the row norms of W + scale B A, which are constant in the backward pass. */
#include <peft/sys/method.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TARGETS 8                        /* kinds of linear layers that can be adapted, the rows of target */
#define ALIASES 4                        /* most further names of one */
#define RANK_MAX 4096
/* For messages and help: names of the targets, and other names for them. */
#define TARGET_NAMES "attn.qkv, attn.q, attn.k, attn.v, attn.proj, mlp.fc1, mlp.fc2, patch_embed.proj"
#define OTHER_NAMES "qkv, q, k, v, proj, fc1, fc2, or Hugging Face's query, key, value, q_proj, k_proj, v_proj, " \
                    "o_proj, .."
/* aliases: the layer's name within its timm module, and in Hugging Face's models. */
static const struct { const char *name; peft_role role; const char *aliases[ALIASES]; } target[TARGETS] = {
    { "attn.qkv", PEFT_QKV, { "qkv" } }, { "attn.q", PEFT_Q, { "q", "query", "q_proj" } },
    { "attn.k", PEFT_K, { "k", "key", "k_proj" } }, { "attn.v", PEFT_V, { "v", "value", "v_proj" } },
    { "attn.proj", PEFT_PROJ, { "proj", "o_proj", "out_proj", "attention.output.dense" } },
    { "mlp.fc1", PEFT_FC1, { "fc1", "intermediate.dense" } }, { "mlp.fc2", PEFT_FC2, { "fc2" } },
    { "patch_embed.proj", PEFT_PATCH, { "projection" } } };

/* The factors of one linear layer: A [r,in] and B [out,r]; magnitude: DoRA's m [out], or NULL. a NULL: the layer is not
 * adapted. */
typedef struct { peft_param *a, *b, *magnitude; double scale; } pair;
enum { OUTSIDE = PEFT_DEPTH_MAX };       /* index of the layer outside the blocks: patch_embed.proj */
/* at[l][k]: the pair of target k in block l, or outside the blocks. */
typedef struct { pair at[OUTSIDE + 1][TARGETS]; double dropout; int64_t width; } lora;

static const peft_option opts[] = {
    { "r",        'i', "8", 1, RANK_MAX, "rank: columns of B, rows of A" },
    { "alpha",    'f', "8", 0, 1e6, "the update is scaled by alpha / r" },
    { "rslora",   'b', "false", 0, 0, "scale by alpha / sqrt(r)" },
    { "dora",     'b', "false", 0, 0, "a learned magnitude for every output row" },
    { "targets",  's', "attn.q,attn.v", 0, 0, "any of " TARGET_NAMES "; also " OTHER_NAMES },
    { "layers",   's', "all", 0, 0, "blocks that are adapted" },
    { "dropout",  'f', "0", 0, 0.99, "dropout on the input of A, in training" },
    { "init",     's', "kaiming", 0, 0, "initial values of A: kaiming, gaussian (std 1/r) or zero; B starts at zero" },
    { "rank_pattern",  's', "", 0, 0, "ranks of single layers: attn.qkv=16,blocks.3.mlp.fc1=4" },
    { "alpha_pattern", 's', "", 0, 0, "alphas of single layers, as rank_pattern" },
    { "train_norm",    'b', "false", 0, 0, "train the final norm too" },
    { "norm_init",     's', "backbone", 0, 0, "initial values of the trained norm: backbone (those of the backbone) "
      "or one (weight 1, bias 0)" },
    { "preset",        's', "none", 0, 0, "a set of other defaults: med_peft, or none; options that are given have "
      "precedence" },
    { 0 } };

/* The setting of MED-PEFT (Lian et al. 2024), with its scale of 32 / r. */
static const peft_preset presets[] = {
    { "med_peft", "targets=[attn.q,attn.v],alpha=32,dropout=0.1,train_norm=true,norm_init=one" }, { 0 } };

/* q, k and v are thirds of the rows of attn.qkv. */
static bool is_q_k_or_v(peft_role role) { return role >= PEFT_Q && role <= PEFT_V; }
static int64_t first_row_in_qkv(peft_role role, int64_t width) { return (role - PEFT_Q) * width; }

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

/* Declares the pair t of target k in block `layer`, or OUTSIDE the blocks. */
static void declare(peft_adapter *ad, pair *t, const peft_vit *v, int64_t layer, int k)
{
    const int64_t d = v->width;
    const int64_t in[TARGETS]  = { d, d, d, d, d, d, v->mlp, v->patch_values };       /* in the order of target */
    const int64_t out[TARGETS] = { 3 * d, d, d, d, d, v->fc1, d, d };
    char path[64], weight[80];
    const char *init = peft_sys_opt_string(ad, "init");
    snprintf(path, sizeof path, "blocks.%d.%s", (int)layer, target[k].name);
    if (layer == OUTSIDE) snprintf(path, sizeof path, "%s", target[k].name);
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
    t->a = peft_sys_declare(ad, PEFT_DIMS(r, in[k]), init, "%s.lora_A.weight", path);
    t->b = peft_sys_declare(ad, PEFT_DIMS(out[k], r), "zero", "%s.lora_B.weight", path);
    if (peft_sys_opt_int(ad, "dora")) {
        const bool q_k_or_v = is_q_k_or_v(target[k].role);
        if (q_k_or_v) snprintf(weight, sizeof weight, "blocks.%d.attn.qkv.weight", (int)layer);
        else snprintf(weight, sizeof weight, "%s.weight", path);
        t->magnitude = peft_sys_declare(ad, PEFT_DIMS(out[k]), "one", "%s.lora_magnitude_vector", path);
        peft_sys_fill_row_norms(ad, t->magnitude, weight, q_k_or_v ? first_row_in_qkv(target[k].role, d) : 0);
    }
}

/* How many items of the option targets name target k: 0, or 1 if k is adapted; 2 or more are refused. */
static int64_t times_listed(peft_adapter *ad, int k)
{
    int64_t n = peft_sys_opt_lists(ad, "targets", target[k].name);
    for (int i = 0; i < ALIASES && target[k].aliases[i]; i++)
        n += peft_sys_opt_lists(ad, "targets", target[k].aliases[i]);
    return n;
}

/* DoRA on attn.qkv and on attn.q would give a row of q two magnitudes, which no merged weight can reproduce. */
static void refuse_two_magnitudes(peft_adapter *ad)
{
    enum { ATTN_QKV, ATTN_Q, ATTN_K, ATTN_V };                      /* indices in target */
    const bool separate = times_listed(ad, ATTN_Q) || times_listed(ad, ATTN_K) || times_listed(ad, ATTN_V);
    if (peft_sys_opt_int(ad, "dora") && times_listed(ad, ATTN_QKV) && separate)
        peft_sys_reject_option(ad, "targets", "with dora=true either attn.qkv or some of attn.q, attn.k and attn.v");
}

static peft_status init(peft_adapter *ad, const peft_vit *v)
{
    lora *m = peft_sys_state(ad);
    const uint64_t layers = peft_sys_opt_layers(ad, "layers");
    int64_t adapted = 0;                     /* kinds of layers */
    peft_sys_opt_preset(ad, "preset", presets);
    m->dropout = peft_sys_opt_float(ad, "dropout");
    m->width = v->width;
    refuse_two_magnitudes(ad);
    for (int k = 0; k < TARGETS; k++) {
        if (times_listed(ad, k) != 1) continue;
        adapted++;
        if (target[k].role == PEFT_PATCH) declare(ad, &m->at[OUTSIDE][k], v, OUTSIDE, k);
        else for (int64_t l = 0; l < v->depth; l++) if (layers >> l & 1) declare(ad, &m->at[l][k], v, l, k);
    }
    if (!adapted || adapted != peft_sys_opt_items(ad, "targets"))      /* an item is unknown, or given twice */
        peft_sys_reject_option(ad, "targets", "some of " TARGET_NAMES ", each once; also " OTHER_NAMES);
    train_norm(ad);
    return peft_sys_init_status(ad);
}

/* The value added to the layer's output for its input x: scale (dropout(x) A^T) B^T. */
static peft_val low_rank_update(const lora *m, peft_build *b, const pair *t, peft_val x)
{
    x = peft_sys_linear(b, peft_sys_dropout(b, x, m->dropout), peft_sys_param(b, t->a), PEFT_NONE);
    return peft_sys_linear(b, peft_sys_scale(b, x, t->scale), peft_sys_param(b, t->b), PEFT_NONE);
}

/* DoRA: s->out, which is x W^T + bias + update, becomes c (out - bias) + bias with c = m / n. The rows of s->w are rows
 * first .. first + rows - 1 of B and m: a third of them, for q, k or v, if the pair belongs to attn.qkv. */
static void renormalise(peft_build *b, peft_site *s, const pair *t, int64_t first, int64_t rows)
{
    peft_val lora_b = peft_sys_slice(b, peft_sys_param(b, t->b), first, rows);
    peft_val inverse = peft_sys_inverse_row_norms(b, s->w, peft_sys_param(b, t->a), lora_b, t->scale);
    peft_val magnitude = peft_sys_slice(b, peft_sys_param(b, t->magnitude), first, rows);
    peft_val c = peft_sys_mul(b, magnitude, inverse), shift = PEFT_NONE;
    if (s->bias.id) shift = peft_sys_add(b, peft_sys_scale(b, peft_sys_mul(b, c, s->bias), -1), s->bias);
    s->out = peft_sys_affine(b, s->out, c, shift);
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const lora *m = state;
    for (int k = 0; k < TARGETS; k++) {
        const pair *t = &m->at[s->layer < 0 ? OUTSIDE : s->layer][k];
        if (!t->a) continue;
        /* The pair of attn.qkv updates at the site QKV; DoRA rescales q, k and v at their own sites. */
        const bool rows_of_qkv = target[k].role == PEFT_QKV && is_q_k_or_v(s->role);
        if (target[k].role == s->role) s->out = peft_sys_add(b, s->out, low_rank_update(m, b, t, s->in));
        else if (!rows_of_qkv) continue;
        if (t->magnitude && s->role != PEFT_QKV)
            renormalise(b, s, t, rows_of_qkv ? first_row_in_qkv(s->role, m->width) : 0, peft_sys_extent(b, s->w, 0));
    }
}

/* Merges the pair t of target k: W += scale B A in the rows that t updates; with DoRA each of these rows is then scaled
 * to the length m. */
static void fold(peft_merge *mg, const peft_vit *v, const pair *t, int64_t layer, int k)
{
    const peft_role role = target[k].role;
    const bool q_k_or_v = is_q_k_or_v(role);
    peft_real *w = layer == OUTSIDE ? peft_sys_merge_tensor(mg, "%s.weight", target[k].name)
                 : peft_sys_merge_tensor(mg, "blocks.%d.%s.weight", (int)layer,
                                         q_k_or_v ? "attn.qkv" : target[k].name);
    peft_sys_merge_low_rank(w, q_k_or_v ? first_row_in_qkv(role, v->width) : 0, t->a, t->b, t->scale, t->magnitude);
}

/* others: another adapter of the model changes weights too. */
static void merge(const void *state, peft_merge *mg, const peft_vit *v, bool others)
{
    const lora *m = state;
    for (int i = 0; i < (OUTSIDE + 1) * TARGETS; i++) {
        const pair *t = &m->at[i / TARGETS][i % TARGETS];
        if (t->magnitude && others) peft_sys_merge_refuse(mg, "DoRA's magnitudes beside another adapter");
        else if (t->a) fold(mg, v, t, i / TARGETS, i % TARGETS);
    }
}

const peft_method pf_method_lora = {
    .name = "lora", .summary = "low-rank updates of linear layers (rsLoRA, DoRA)", .paper = "arXiv:2106.09685",
    .opts = opts, .sites = PEFT_AT(PEFT_LINEAR), .state_size = sizeof(lora), .init = init, .emit = emit,
    .merge = merge };
