/* SPDX-License-Identifier: Apache-2.0
 * ssf.c -- Scaling and Shifting your Features (Lian et al., NeurIPS 2022): y = gamma x + beta after every norm and
 * linear layer. One pair of vectors [3 width] serves q, k and v. */
#include <peft/sys/method.h>

/* The layers that have a scale and a shift: PATCH and FINAL (the last norm) once, the others in every block. */
enum { PATCH, NORM1, QKV, PROJ, NORM2, FC1, FC2, FINAL, SCALED_LAYERS };
enum { OUTSIDE = PEFT_DEPTH_MAX };       /* index of the block for PATCH and FINAL */
typedef struct { peft_param *gamma[OUTSIDE + 1][SCALED_LAYERS], *beta[OUTSIDE + 1][SCALED_LAYERS]; int64_t width; } ssf;

/* Declares all scales (gamma) and shifts (beta), under the names of the SSF repository: blocks.3.attn.ssf_scale_1,
 * patch_embed.ssf_shift_1. */
static void declare(peft_adapter *a, const peft_vit *v)
{
    /* a name is module, "ssf_scale_" or "ssf_shift_", number */
    static const struct { const char *module, *number; } name[SCALED_LAYERS] = {
        [PATCH] = { "patch_embed.", "1" }, [NORM1] = { "", "1" }, [QKV] = { "attn.", "1" }, [PROJ] = { "attn.", "2" },
        [NORM2] = { "", "2" }, [FC1] = { "mlp.", "1" }, [FC2] = { "mlp.", "2" }, [FINAL] = { "", "1" } };
    ssf *m = peft_sys_state(a);
    for (int64_t l = 0; l < v->depth + 1; l++)
        for (int k = 0; k < SCALED_LAYERS; k++) {
            const bool outside = k == PATCH || k == FINAL;
            const int64_t block = l < v->depth ? l : OUTSIDE;
            const int64_t n = k == QKV ? 3 * v->width : k == FC1 ? v->fc1 : v->width;
            if (outside != (block == OUTSIDE)) continue;          /* l == depth: PATCH and FINAL only */
            for (int shift = 0; shift < 2; shift++) {
                const char *kind = shift ? "shift" : "scale", *init = shift ? "normal:0.02" : "normal:0.02:1";
                peft_param **p = shift ? &m->beta[block][k] : &m->gamma[block][k];
                if (outside) *p = peft_sys_declare(a, PEFT_DIMS(n), init, "%sssf_%s_%s", name[k].module, kind,
                                                   name[k].number);
                else *p = peft_sys_declare(a, PEFT_DIMS(n), init, "blocks.%d.%sssf_%s_%s", (int)l, name[k].module, kind,
                                           name[k].number);
            }
        }
}

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    ((ssf *)peft_sys_state(a))->width = v->width;
    declare(a, v);
    return peft_sys_init_status(a);
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    enum { NOT_SCALED = -1 };
    static const int scaled[] = {                            /* the layer whose vectors the role uses */
        [PEFT_PATCH] = PATCH, [PEFT_QKV] = NOT_SCALED, [PEFT_Q] = QKV, [PEFT_K] = QKV, [PEFT_V] = QKV,
        [PEFT_PROJ] = PROJ, [PEFT_FC1] = FC1, [PEFT_FC2] = FC2, [PEFT_NORM1] = NORM1, [PEFT_NORM2] = NORM2,
        [PEFT_FINAL] = FINAL };
    const ssf *m = state;
    const int64_t l = s->layer < 0 ? OUTSIDE : s->layer;
    const int k = scaled[s->role];
    if (k == NOT_SCALED) return;             /* q, k and v are scaled at their own sites */
    peft_val gamma = peft_sys_param(b, m->gamma[l][k]), beta = peft_sys_param(b, m->beta[l][k]);
    if (k == QKV) {
        gamma = peft_sys_slice(b, gamma, (s->role - PEFT_Q) * m->width, m->width);
        beta = peft_sys_slice(b, beta, (s->role - PEFT_Q) * m->width, m->width);
    }
    s->out = peft_sys_affine(b, s->out, gamma, beta);
}

/* Merges scale and shift of layer k into the weight [rows,cols] and bias of the tensor `name`: gamma (w x + b) + beta =
 * (gamma w) x + (gamma b + beta), so that row i is multiplied by gamma[i]. The weight of a norm is [rows,1]. */
static void fold(peft_merge *mg, const ssf *m, int64_t block, int k, const char *name, int64_t rows, int64_t cols)
{
    peft_real *w, *b;
    const peft_real *gamma = peft_sys_merge_value(m->gamma[block][k]), *beta = peft_sys_merge_value(m->beta[block][k]);
    if (block == OUTSIDE) {
        w = peft_sys_merge_tensor(mg, "%s.weight", name);
        b = peft_sys_merge_tensor(mg, "%s.bias", name);
    } else {
        w = peft_sys_merge_tensor(mg, "blocks.%d.%s.weight", (int)block, name);
        b = peft_sys_merge_tensor(mg, "blocks.%d.%s.bias", (int)block, name);
    }
    for (int64_t i = 0; w && b && i < rows; i++) {
        for (int64_t j = 0; j < cols; j++) w[i * cols + j] *= gamma[i];
        b[i] = b[i] * gamma[i] + beta[i];
    }
}

/* others: another adapter of the model changes weights too. */
static void merge(const void *state, peft_merge *mg, const peft_vit *v, bool others)
{
    const ssf *m = state;
    const int64_t d = v->width;
    if (others) peft_sys_merge_refuse(mg, "its scales beside another adapter");
    fold(mg, m, OUTSIDE, PATCH, "patch_embed.proj", d, v->patch_values);
    for (int64_t l = 0; l < v->depth; l++) {
        fold(mg, m, l, NORM1, "norm1", d, 1);
        fold(mg, m, l, QKV, "attn.qkv", 3 * d, d);
        fold(mg, m, l, PROJ, "attn.proj", d, d);
        fold(mg, m, l, NORM2, "norm2", d, 1);
        fold(mg, m, l, FC1, "mlp.fc1", v->fc1, d);
        fold(mg, m, l, FC2, "mlp.fc2", d, v->mlp);
    }
    fold(mg, m, OUTSIDE, FINAL, peft_sys_merge_has(mg, "fc_norm.weight") ? "fc_norm" : "norm", d, 1);
}

const peft_method pf_method_ssf = {
    .name = "ssf", .summary = "a learned scale and shift behind every operation", .paper = "arXiv:2210.08823",
    .sites = PEFT_AT(PEFT_NORM) | PEFT_AT(PEFT_LINEAR), .state_size = sizeof(ssf), .init = init, .emit = emit,
    .merge = merge };
