/* SPDX-License-Identifier: Apache-2.0
 * attnscale.c -- AttnScale (Basu et al., AAAI 2024) with the offsets of eTT's domain residual adapter (Xu et al., TMLR
 * 2022): a factor for each head multiplies its attention scores; a vector is added to the output of attention and of
 * the MLP. */
#include <peft/sys/method.h>

/* The tensors of each block: scale [heads], factors of the attention scores; after_sa and after_mlp [width], offsets
 * behind self-attention and MLP. NULL: an option turned them off. */
typedef struct { peft_param *scale[PEFT_DEPTH_MAX], *after_sa[PEFT_DEPTH_MAX], *after_mlp[PEFT_DEPTH_MAX]; } attnscale;
static const peft_option opts[] = {
    { "scale",   'b', "true", 0, 0, "train a factor for the attention scores of each head" },
    { "offsets", 'b', "true", 0, 0, "train a vector added to the outputs of attention and MLP" }, { 0 } };

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    attnscale *m = peft_sys_state(a);
    for (int64_t l = 0; l < v->depth; l++) {
        if (peft_sys_opt_int(a, "scale"))
            m->scale[l] = peft_sys_declare(a, PEFT_DIMS(v->heads), "one", "blocks.%d.attn.attn_scale", (int)l);
        if (!peft_sys_opt_int(a, "offsets")) continue;
        m->after_sa[l]  = peft_sys_declare(a, PEFT_DIMS(v->width), "zero", "blocks.%d.adapter_1.offset", (int)l);
        m->after_mlp[l] = peft_sys_declare(a, PEFT_DIMS(v->width), "zero", "blocks.%d.adapter_2.offset", (int)l);
    }
    return peft_sys_init_status(a);
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const attnscale *m = state;
    peft_param *offset = s->role == PEFT_SA ? m->after_sa[s->layer] : m->after_mlp[s->layer];
    if (s->where == PEFT_ATTN && m->scale[s->layer]) {       /* multiplies a factor that another method has set */
        peft_val scale = peft_sys_param(b, m->scale[s->layer]);
        s->head_scale = s->head_scale.id ? peft_sys_mul(b, scale, s->head_scale) : scale;
    }
    if (s->where == PEFT_BRANCH && offset) s->out = peft_sys_add(b, s->out, peft_sys_param(b, offset));
}

/* Adds the offset (NULL: none) to the bias [width] of the branch's last layer: "blocks.3.mlp.fc2.bias". */
static void add_offset(peft_merge *mg, const peft_param *offset, const char *last_layer, int64_t block, int64_t width)
{
    peft_real *b = offset ? peft_sys_merge_tensor(mg, "blocks.%d.%s.bias", (int)block, last_layer) : NULL;
    for (int64_t i = 0; b && i < width; i++) b[i] += peft_sys_merge_value(offset)[i];
}

/* others: another adapter of the model changes weights too. */
static void merge(const void *state, peft_merge *mg, const peft_vit *v, bool others)
{
    const attnscale *m = state;
    const int64_t width = v->width, head_width = width / v->heads;
    if (others) peft_sys_merge_refuse(mg, "its factors beside another adapter");
    if (m->scale[0] && peft_sys_merge_has(mg, "blocks.0.attn.q_norm.weight"))
        peft_sys_merge_refuse(mg, "factors of the heads, where q has a norm that all heads share");
    if (m->after_sa[0] && peft_sys_merge_has(mg, "blocks.0.ls1.gamma"))
        peft_sys_merge_refuse(mg, "offsets behind LayerScale");
    for (int64_t l = 0; l < v->depth; l++) {
        peft_real *w = m->scale[l] ? peft_sys_merge_tensor(mg, "blocks.%d.attn.qkv.weight", (int)l) : NULL, *b = NULL;
        if (w && peft_sys_merge_has(mg, "blocks.0.attn.qkv.bias"))
            b = peft_sys_merge_tensor(mg, "blocks.%d.attn.qkv.bias", (int)l);
        for (int64_t i = 0; w && i < width; i++) {          /* a factor on q = W_q x + b_q is a factor on the scores */
            const peft_real factor = peft_sys_merge_value(m->scale[l])[i / head_width];
            for (int64_t j = 0; j < width; j++) w[i * width + j] *= factor;
            if (b) b[i] *= factor;
        }
        add_offset(mg, m->after_sa[l], "attn.proj", l, width);
        add_offset(mg, m->after_mlp[l], "mlp.fc2", l, width);
    }
}

const peft_method pf_method_attnscale_dra = {
    .name = "attnscale_dra", .summary = "a factor a head on attention scores, an offset behind each branch",
    .paper = "Basu et al., AAAI 2024; Xu et al., TMLR 2022", .opts = opts,
    .sites = PEFT_AT(PEFT_ATTN) | PEFT_AT(PEFT_BRANCH),
    .state_size = sizeof(attnscale), .init = init, .emit = emit, .merge = merge };
