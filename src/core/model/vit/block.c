/* SPDX-License-Identifier: Apache-2.0
 * block.c -- one block of the forward pass: attention and MLP, each with its norm and residual sum. */
#include "core/graph/ops/heads/rope.h"
#include "core/model/vit/pass.h"

/* LayerNorm of each head's columns of q or k. */
static pf_val head_norm(const pf_vit_pass *p, int64_t l, const char *name, pf_val x)
{
    const pf_attr a = { .i = { p->shape->heads }, .f = { p->shape->eps } };
    const pf_val gamma = pf_pass_weight_of(p, l, name, "weight"), beta = pf_pass_weight_of(p, l, name, "bias");
    return pf_emit(p->g, &pf_op_head_norm, &a, 3, (pf_val[]){ x, gamma, beta });
}

/* q, k and v are three linear layers, with the three thirds of attn.qkv, and each is a site. The site before them has
 * role PEFT_QKV: there an adapter may make a value of 3 d columns (fused), whose thirds are added to q, k and v. */
static void project_qkv(const pf_vit_pass *p, int64_t l, pf_val x, pf_val qkv[3])
{
    const int64_t d = p->shape->width;
    const pf_val w = pf_pass_weight(p, l, "attn.qkv.weight"), b = pf_pass_weight(p, l, "attn.qkv.bias");
    const pf_val fused = pf_pass_value_site(p, PEFT_LINEAR, PEFT_QKV, l, x, PF_NONE);
    for (int i = 0; i < 3; i++) {
        peft_site s = { .where = PEFT_LINEAR, .role = (peft_role)(PEFT_Q + i), .layer = l, .in = x,
                        .w = peft_sys_slice(p->g, w, i * d, d), .bias = peft_sys_slice(p->g, b, i * d, d) };
        s.out = peft_sys_linear(p->g, x, s.w, s.bias);
        if (pf_exists(fused)) s.out = peft_sys_add(p->g, s.out, pf_columns(p->g, fused, i * d, d));
        pf_pass_site(p, &s);
        qkv[i] = s.out;
    }
}

/* A table of the block's rotary positions: that of the backbone or, if an adapter trains the frequencies, one that is
 * computed in each run. Frequencies: rope.freqs [2, depth, heads, n / 2], n columns of a head. */
static pf_val rope_table(const pf_vit_pass *p, int64_t l)
{
    const pf_vit_shape *v = p->shape;
    const peft_backbone *b = p->m->backbone;
    const int64_t patches = pf_vit_patches(v), n = v->width / v->heads;
    const int64_t tables = v->rope.kind == PF_ROPE_MIXED ? v->heads : 1;
    const pf_grid grid = pf_vit_grid(v);
    const pf_val freqs = pf_pass_weight(p, PF_OUTSIDE_BLOCKS, "rope.freqs");
    const peft_tensor *frozen = pf_backbone_find(b, "rope.freqs");
    if (pf_exists(freqs) && pf_v(p->g, freqs)->data != frozen->data) {
        const pf_val fx = peft_sys_select(p->g, peft_sys_select(p->g, freqs, 0), l);
        const pf_val fy = peft_sys_select(p->g, peft_sys_select(p->g, freqs, 1), l);
        const pf_attr a = { .i = { grid.h, grid.w, v->rope.xy } };
        return pf_emit(p->g, &pf_op_rope_table, &a, 2, (pf_val[]){ fx, fy });
    }
    const int64_t first = v->rope.kind == PF_ROPE_MIXED ? l * v->heads * patches * 2 * n : 0;
    const pf_val table = pf_value_new(p->g, PF_CONST, pf_shape_of(2, tables * patches, 2 * n));
    if (pf_exists(table)) {
        pf_v(p->g, table)->type = PK_REAL;
        pf_v(p->g, table)->data = b->rope + first;
    }
    return table;
}

/* Rotates q and k of the patches, the last rows. */
static void rotate(const pf_vit_pass *p, int64_t l, pf_val qk[2])
{
    const pf_vit_shape *v = p->shape;
    if (p->g->status) return;
    const int64_t first = pf_v(p->g, qk[0])->shape.dim[1] - pf_vit_patches(v);
    const int64_t tables = v->rope.kind == PF_ROPE_MIXED ? v->heads : 1;
    const pf_attr a = { .i = { v->heads, tables, first, v->rope.halves ? PF_ROTATE_HALVES : 0 } };
    const pf_val table = rope_table(p, l);
    for (int i = 0; i < 2; i++) qk[i] = pf_emit(p->g, &pf_op_rope, &a, 2, (pf_val[]){ qk[i], table });
}

/* Self-attention. The site PEFT_ATTN comes after the norms and the rotation of q and k. */
static pf_val attention(const pf_vit_pass *p, int64_t l, pf_val x)
{
    pf_val qkv[3];
    project_qkv(p, l, x, qkv);
    if (p->shape->qk_norm) {
        qkv[0] = head_norm(p, l, "attn.q_norm", qkv[0]);
        qkv[1] = head_norm(p, l, "attn.k_norm", qkv[1]);
    }
    if (p->shape->rope.kind) rotate(p, l, qkv);
    peft_site s = { .where = PEFT_ATTN, .layer = l, .in = x, .q = qkv[0], .k = qkv[1], .v = qkv[2] };
    pf_pass_site(p, &s);
    pf_val lse, out = s.out;
    if (!pf_exists(out)) {
        out = pf_attention(p->g, p->shape->heads, &s, &lse);
        pf_pass_tap_sink_mass(p, l, s.sink, lse);
    }
    if (p->shape->attn_norm) out = pf_pass_inner_norm(p, l, "attn.norm", out);
    return pf_pass_linear(p, PEFT_PROJ, l, "attn.proj", out);
}

/* The activation of fc1's output x; a gated MLP multiplies the activation of one half by the other half. */
static pf_val activate(const pf_vit_pass *p, pf_val x)
{
    const pf_vit_shape *v = p->shape;
    if (v->gate) return pf_gated(p->g, x, (pk_act)v->act, v->gate == PF_GATE_LAST);
    return peft_sys_activate(p->g, x, pf_act_name(v->act));
}

static pf_val mlp(const pf_vit_pass *p, int64_t l, pf_val x)
{
    x = activate(p, pf_pass_linear(p, PEFT_FC1, l, "mlp.fc1", x));
    if (p->shape->mlp_norm) x = pf_pass_inner_norm(p, l, "mlp.norm", x);
    return pf_pass_linear(p, PEFT_FC2, l, "mlp.fc2", x);
}

/* x + gamma * branch: branch is the output of attention or MLP, gamma is LayerScale, if the network has it. */
static pf_val residual(const pf_vit_pass *p, int64_t l, peft_role role, pf_val x, pf_val branch)
{
    const pf_val gamma = pf_pass_weight(p, l, role == PEFT_SA ? "ls1.gamma" : "ls2.gamma");
    if (pf_exists(gamma)) branch = peft_sys_affine(p->g, branch, gamma, PF_NONE);
    return peft_sys_add(p->g, x, pf_pass_value_site(p, PEFT_BRANCH, role, l, x, branch));
}

pf_val pf_pass_block(const pf_vit_pass *p, int64_t l, pf_val x)
{
    x = pf_pass_value_site(p, PEFT_BLOCK_IN, PEFT_SA, l, PF_NONE, x);
    pf_val y = pf_pass_norm(p, PEFT_NORM1, l, "norm1", x);
    x = residual(p, l, PEFT_SA, x, attention(p, l, y));
    y = pf_pass_norm(p, PEFT_NORM2, l, "norm2", x);
    x = residual(p, l, PEFT_MLP, x, mlp(p, l, y));
    return pf_pass_value_site(p, PEFT_BLOCK_OUT, PEFT_MLP, l, PF_NONE, x);
}
