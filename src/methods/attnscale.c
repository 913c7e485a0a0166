/* SPDX-License-Identifier: Apache-2.0
 * attnscale.c -- AttnScale (Basu et al., AAAI 2024) with the offsets of eTT's domain residual adapter (Xu et al., TMLR
 * 2022): one factor on the attention scores a head, one vector added behind attention and behind the MLP. */
#include "core/method.h"

typedef struct { pf_param *scale[64], *after_sa[64], *after_mlp[64]; } attnscale;
static const pf_opt opts[] = {
    { "scale",   'b', "true", 0, 0, "factors on the attention scores" },
    { "offsets", 'b', "true", 0, 0, "offsets behind attention and MLP" }, { 0 } };

static peft_status init(pf_adapter *a, const pf_vit *v)
{
    attnscale *m = pf_state(a);
    for (int64_t l = 0; l < v->depth; l++) {
        if (pf_opt_int(a, "scale"))
            m->scale[l] = pf_declare(a, PF_DIMS(v->heads), "one", "blocks.%d.attn.attn_scale", (int)l);
        if (!pf_opt_int(a, "offsets")) continue;
        m->after_sa[l]  = pf_declare(a, PF_DIMS(v->width), "zero", "blocks.%d.adapter_1.offset", (int)l);
        m->after_mlp[l] = pf_declare(a, PF_DIMS(v->width), "zero", "blocks.%d.adapter_2.offset", (int)l);
    }
    return pf_done(a);
}

static void emit(const void *state, pf_build *b, pf_site *s)
{
    const attnscale *m = state;
    pf_param *offset = s->role == PF_SA ? m->after_sa[s->layer] : m->after_mlp[s->layer];
    if (s->where == PF_ATTN && m->scale[s->layer]) s->head_scale = pf_use(b, m->scale[s->layer]);
    if (s->where == PF_BRANCH && offset) s->out = pf_add(b, s->out, pf_use(b, offset));
}

const pf_method pf_method_attnscale_dra = {
    .name = "attnscale_dra", .summary = "a factor a head on attention scores, an offset behind each branch",
    .paper = "Basu et al., AAAI 2024; Xu et al., TMLR 2022", .opts = opts, .sites = PF_AT(PF_ATTN) | PF_AT(PF_BRANCH),
    .state_size = sizeof(attnscale), .init = init, .emit = emit };
