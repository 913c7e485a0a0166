/* SPDX-License-Identifier: Apache-2.0
 * ia3.c -- IA3 (Liu et al., NeurIPS 2022): learned factors multiply keys and values (after their bias was added) and
 * the input of the MLP's second layer, fc2. */
#include <peft/sys/method.h>

/* The factors of each block: k, v [width,1], fc2 [1,mlp]. */
typedef struct { peft_param *k[PEFT_DEPTH_MAX], *v[PEFT_DEPTH_MAX], *fc2[PEFT_DEPTH_MAX]; } ia3;

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    ia3 *m = peft_sys_state(a);
    for (int64_t l = 0; l < v->depth; l++) {
        m->k[l]   = peft_sys_declare(a, PEFT_DIMS(v->width, 1), "one", "blocks.%d.attn.k.ia3_l", (int)l);
        m->v[l]   = peft_sys_declare(a, PEFT_DIMS(v->width, 1), "one", "blocks.%d.attn.v.ia3_l", (int)l);
        m->fc2[l] = peft_sys_declare(a, PEFT_DIMS(1, v->mlp), "one", "blocks.%d.mlp.fc2.ia3_l", (int)l);
    }
    return peft_sys_init_status(a);
}

/* fc2 is scaled at the input of its layer, keys and values at the output of theirs. */
static void emit(const void *state, peft_build *b, peft_site *s)
{
    const ia3 *m = state;
    peft_param *factor = NULL;
    if (s->where == PEFT_LINEAR_IN) factor = s->role == PEFT_FC2 ? m->fc2[s->layer] : NULL;
    else if (s->layer >= 0) factor = s->role == PEFT_K ? m->k[s->layer] : s->role == PEFT_V ? m->v[s->layer] : NULL;
    if (factor) s->out = peft_sys_affine(b, s->out, peft_sys_param(b, factor), PEFT_NONE);
}

/* others: another adapter of the model changes weights too. */
static void merge(const void *state, peft_merge *mg, const peft_vit *v, bool others)
{
    const ia3 *m = state;
    const int64_t width = v->width, mlp = v->mlp;
    if (others) peft_sys_merge_refuse(mg, "its factors beside another adapter");
    for (int64_t l = 0; l < v->depth; l++) {
        /* rows of qkv: width for q, then width for k, then width for v */
        peft_real *w = peft_sys_merge_tensor(mg, "blocks.%d.attn.qkv.weight", (int)l);
        peft_real *fc2 = peft_sys_merge_tensor(mg, "blocks.%d.mlp.fc2.weight", (int)l);
        const peft_real *k_v[2] = { peft_sys_merge_value(m->k[l]), peft_sys_merge_value(m->v[l]) };
        const peft_real *column = peft_sys_merge_value(m->fc2[l]);
        peft_real *b = peft_sys_merge_tensor(mg, "blocks.%d.attn.qkv.bias", (int)l);
        if (!w || !b || !fc2) return;
        for (int64_t i = width; i < 3 * width; i++) {
            const peft_real factor = k_v[i / width - 1][i % width];              /* i / width: 1 for k, 2 for v */
            for (int64_t j = 0; j < width; j++) w[i * width + j] *= factor;
            b[i] *= factor;
        }
        for (int64_t i = 0; i < width * mlp; i++) fc2[i] *= column[i % mlp];
    }
}

const peft_method pf_method_ia3 = {
    .name = "ia3", .summary = "learned factors on keys, values and MLP activations", .paper = "arXiv:2205.05638",
    .sites = PEFT_AT(PEFT_LINEAR) | PEFT_AT(PEFT_LINEAR_IN), .state_size = sizeof(ia3), .init = init, .emit = emit,
    .merge = merge };
