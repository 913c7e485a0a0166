/* SPDX-License-Identifier: Apache-2.0
 * ia3.c -- IA3 (Liu et al., NeurIPS 2022): learned factors multiply outputs of linear layers (after the bias was
 * added), or inputs of those that the option "feedforward" lists. By default these are the outputs of keys and values
 * and the input of the MLP's second layer, fc2. */
#include <peft/sys/method.h>
#include <stdio.h>
#include "targets.h"

/* factor[l][k]: the factors of layer k in block l, or outside the blocks (PF_OUTSIDE); NULL: it is not adapted. input:
 * the layers whose input they multiply. Factors of an output are [out,1], those of an input [1,in]. */
typedef struct { peft_param *factor[PF_OUTSIDE + 1][PF_LAYERS]; pf_targets input; peft_vit vit; } ia3;

static const peft_option opts[] = {
    { "targets", 's', "attn.k,attn.v,mlp.fc2", 0, 0, "any of " PF_TARGET_NAMES "; also " PF_OTHER_TARGET_NAMES },
    { "feedforward", 's', "mlp.fc2", 0, 0, "the layers among targets whose input is multiplied, and not their output" },
    { "layers", 's', "all", 0, 0, "blocks that are adapted" },
    { 0 } };

static void declare(peft_adapter *a, ia3 *m, const peft_vit *v, int64_t l, pf_layer k)
{
    char path[PF_LAYER_PATH];
    const int64_t in = pf_layer_in(v, k), out = pf_layer_out(v, k);
    const bool input = pf_is_target(&m->input, k, l);
    pf_layer_path(path, k, l);
    m->factor[l][k] = input ? peft_sys_declare(a, PEFT_DIMS(1, in), "one", "%s.ia3_l", path)
                            : peft_sys_declare(a, PEFT_DIMS(out, 1), "one", "%s.ia3_l", path);
}

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    ia3 *m = peft_sys_state(a);
    const pf_targets t = pf_read_targets(a, v, "targets", "layers");
    m->input = pf_read_targets(a, v, "feedforward", NULL);
    m->vit = *v;
    if (!t.kinds)
        peft_sys_reject_option(a, "targets", "some of " PF_TARGET_NAMES ", each once; also " PF_OTHER_TARGET_NAMES);
    bool scales_input = false;
    for (int k = 0; k < PF_LAYERS; k++) {
        if (k > PF_LAYER_V && k != PF_LAYER_FC1 && k != PF_LAYER_FC1_G && k != PF_LAYER_FC1_X) continue;
        scales_input |= (t.block[k] & m->input.block[k]) != 0;
    }
    if (scales_input && pf_targets_overlap(&t))
        peft_sys_reject_option(a, "targets", "where an input is scaled, " PF_NO_OVERLAP);
    if (m->input.patch) peft_sys_reject_option(a, "feedforward", "layers in blocks: the patch embedding reads pixels");
    for (int64_t l = 0; l < v->depth; l++)
        for (int k = 0; k < PF_LAYERS; k++)
            if (pf_is_target(&t, (pf_layer)k, l)) declare(a, m, v, l, (pf_layer)k);
    if (t.patch) declare(a, m, v, PF_OUTSIDE, PF_LAYER_PATCH);
    return peft_sys_init_status(a);
}

/* The site where a layer's input can be replaced: of q, k and v there is none, as they share their input. */
static bool has_input_site(pf_layer k) { return k == PF_LAYER_PROJ || k == PF_LAYER_FC1 || k == PF_LAYER_FC2; }

/* The factors [mlp,1] of a half of fc1 with ones for the other half; of another layer the factors themselves. */
static peft_val whole_factor(const ia3 *m, peft_build *b, pf_layer k, peft_val factor)
{
    if (!pf_is_half(k)) return factor;
    peft_val ones = peft_sys_constant(b, PEFT_DIMS(m->vit.mlp, 1), pf_fill_ones, NULL, "ones");
    return peft_sys_insert_rows(b, ones, pf_layer_first_row(&m->vit, k), factor);
}

/* change W^T for the rows of W that are layer k's. */
static peft_val product(const ia3 *m, peft_build *b, const peft_site *s, pf_layer k, peft_val change)
{
    peft_val w = pf_is_half(k) ? peft_sys_slice(b, s->w, pf_layer_first_row(&m->vit, k), m->vit.mlp) : s->w;
    return pf_whole_output(b, &m->vit, k, peft_sys_linear(b, change, w, PEFT_NONE));
}

/* Applies factors of layer k at a site of its role; those of attn.qkv at the sites of q, k and v. */
static void scale(const ia3 *m, peft_build *b, peft_site *s, int64_t l, pf_layer k)
{
    peft_val factor = peft_sys_param(b, m->factor[l][k]);
    const bool input = pf_is_target(&m->input, k, l);
    if (!input && s->where == PEFT_LINEAR) {
        if (k == PF_LAYER_QKV) factor = peft_sys_slice(b, factor, (s->role - PEFT_Q) * m->vit.width, m->vit.width);
        s->out = peft_sys_affine(b, s->out, whole_factor(m, b, k, factor), PEFT_NONE);
    } else if (input && has_input_site(k) && s->where == PEFT_LINEAR_IN) {
        s->out = peft_sys_affine(b, s->out, factor, PEFT_NONE);
    } else if (input && !has_input_site(k) && s->where == PEFT_LINEAR) {
        /* (l x) W^T = x W^T + (l x - x) W^T: the first term is in out */
        peft_val change = peft_sys_add(b, peft_sys_affine(b, s->in, factor, PEFT_NONE), peft_sys_scale(b, s->in, -1));
        s->out = peft_sys_add(b, s->out, product(m, b, s, k, change));
    }
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const ia3 *m = state;
    const int64_t l = s->layer < 0 ? PF_OUTSIDE : s->layer;
    const bool q_k_or_v = s->role >= PEFT_Q && s->role <= PEFT_V;
    for (int k = 0; k < PF_LAYERS; k++)
        if (m->factor[l][k] && (k == PF_LAYER_QKV ? q_k_or_v : pf_layer_names[k].role == s->role))
            scale(m, b, s, l, (pf_layer)k);
}

/* Multiplies rows (outputs) or columns (inputs) of the layer's weight, and with the rows its bias. */
static void fold(peft_merge *mg, const ia3 *m, int64_t l, pf_layer k)
{
    char path[PF_LAYER_PATH], bias_name[PF_LAYER_PATH + 8];
    const int64_t in = pf_layer_in(&m->vit, k), out = pf_layer_out(&m->vit, k), first = pf_layer_first_row(&m->vit, k);
    const peft_real *factor = peft_sys_merge_value(m->factor[l][k]);
    const bool input = pf_is_target(&m->input, k, l);
    pf_layer_tensor_path(path, k, l);
    snprintf(bias_name, sizeof bias_name, "%s.bias", path);
    peft_real *w = peft_sys_merge_tensor(mg, "%s.weight", path);
    peft_real *b = !input && peft_sys_merge_has(mg, bias_name) ? peft_sys_merge_tensor(mg, "%s", bias_name) : NULL;
    for (int64_t i = 0; w && i < out; i++)
        for (int64_t j = 0; j < in; j++) w[(first + i) * in + j] *= factor[input ? j : i];
    for (int64_t i = 0; b && i < out; i++) b[first + i] *= factor[i];
}

/* others: another adapter of the model changes weights too. */
static void merge(const void *state, peft_merge *mg, const peft_vit *v, bool others)
{
    const ia3 *m = state;
    (void)v;
    if (others) peft_sys_merge_refuse(mg, "its factors beside another adapter");
    for (int64_t l = 0; l <= PF_OUTSIDE; l++)
        for (int k = 0; k < PF_LAYERS; k++) if (m->factor[l][k]) fold(mg, m, l, (pf_layer)k);
}

const peft_method pf_method_ia3 = {
    .name = "ia3", .summary = "learned factors on keys, values and MLP activations", .paper = "arXiv:2205.05638",
    .opts = opts, .sites = PEFT_AT(PEFT_LINEAR) | PEFT_AT(PEFT_LINEAR_IN), .state_size = sizeof(ia3), .init = init,
    .emit = emit, .merge = merge };
