/* SPDX-License-Identifier: Apache-2.0
 * ia3.c -- IA3 (Liu et al., NeurIPS 2022): learned factors on keys and values (behind the bias) and on the input of the
 * MLP's second layer. */
#include "core/method.h"

typedef struct { pf_param *k[64], *v[64], *fc2[64]; } ia3;

static peft_status init(pf_adapter *a, const pf_vit *v)
{
    ia3 *m = pf_state(a);
    for (int64_t l = 0; l < v->depth; l++) {
        m->k[l]   = pf_declare(a, PF_DIMS(v->width, 1), "one", "blocks.%d.attn.k.ia3_l", (int)l);
        m->v[l]   = pf_declare(a, PF_DIMS(v->width, 1), "one", "blocks.%d.attn.v.ia3_l", (int)l);
        m->fc2[l] = pf_declare(a, PF_DIMS(1, v->mlp), "one", "blocks.%d.mlp.fc2.ia3_l", (int)l);
    }
    return pf_done(a);
}

static void emit(const void *state, pf_build *b, pf_site *s)
{
    const ia3 *m = state;
    pf_param *factor = NULL;
    if (s->where == PF_LINEAR_IN) factor = s->role == PF_FC2 ? m->fc2[s->layer] : NULL;
    else if (s->layer >= 0) factor = s->role == PF_K ? m->k[s->layer] : s->role == PF_V ? m->v[s->layer] : NULL;
    if (factor) s->out = pf_affine(b, s->out, pf_use(b, factor), PF_NONE);
}

static void merge(const void *state, pf_merge *mg, const pf_vit *v, bool others)
{
    const ia3 *m = state;
    const int64_t c = v->width, f = v->mlp;
    if (others) pf_merge_refuse(mg, "its factors beside another adapter");
    for (int64_t l = 0; l < v->depth; l++) {
        pk_real *w = pf_merge_tensor(mg, "blocks.%d.attn.qkv.weight", (int)l), *b = NULL;
        pk_real *fc2 = pf_merge_tensor(mg, "blocks.%d.mlp.fc2.weight", (int)l);
        const pk_real *kv[2] = { pf_merge_value(m->k[l]), pf_merge_value(m->v[l]) }, *in = pf_merge_value(m->fc2[l]);
        b = pf_merge_tensor(mg, "blocks.%d.attn.qkv.bias", (int)l);
        if (!w || !b || !fc2) return;
        for (int64_t i = c; i < 3 * c; i++) {
            for (int64_t j = 0; j < c; j++) w[i * c + j] *= kv[i / c - 1][i % c];
            b[i] *= kv[i / c - 1][i % c];
        }
        for (int64_t i = 0; i < c * f; i++) fc2[i] *= in[i % f];
    }
}

const pf_method pf_method_ia3 = {
    .name = "ia3", .summary = "learned factors on keys, values and MLP activations", .paper = "arXiv:2205.05638",
    .sites = PF_AT(PF_LINEAR) | PF_AT(PF_LINEAR_IN), .state_size = sizeof(ia3), .init = init, .emit = emit,
    .merge = merge };
