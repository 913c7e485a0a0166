/* SPDX-License-Identifier: Apache-2.0
 * ssf.c -- Scaling and Shifting your Features (Lian et al., NeurIPS 2022): y = gamma x + beta behind every norm and
 * linear layer; q, k and v share one pair of vectors [3d]. */
#include "core/method.h"

enum { PATCH, NORM1, QKV, PROJ, NORM2, FC1, FC2, FINAL, SPOTS };
typedef struct { pf_param *gamma[65][SPOTS], *beta[65][SPOTS]; int64_t width; } ssf;      /* [64]: outside the blocks */

static void declare(pf_adapter *a, const pf_vit *v)
{
    static const struct { const char *at, *end; } name[SPOTS] = {
        [PATCH] = { "patch_embed.", "1" }, [NORM1] = { "", "1" }, [QKV] = { "attn.", "1" }, [PROJ] = { "attn.", "2" },
        [NORM2] = { "", "2" }, [FC1] = { "mlp.", "1" }, [FC2] = { "mlp.", "2" }, [FINAL] = { "", "1" } };
    ssf *m = pf_state(a);
    for (int64_t l = 0; l < v->depth + 1; l++)
        for (int k = 0; k < SPOTS; k++) {
            const bool outside = k == PATCH || k == FINAL;
            const int64_t at = l < v->depth ? l : 64, n = k == QKV ? 3 * v->width : k == FC1 ? v->fc1 : v->width;
            if (outside != (at == 64)) continue;
            for (int shift = 0; shift < 2; shift++) {
                const char *what = shift ? "shift" : "scale", *init = shift ? "normal:0.02" : "normal:0.02:1";
                pf_param **p = shift ? &m->beta[at][k] : &m->gamma[at][k];
                *p = outside ? pf_declare(a, PF_DIMS(n), init, "%sssf_%s_%s", name[k].at, what, name[k].end)
                             : pf_declare(a, PF_DIMS(n), init, "blocks.%d.%sssf_%s_%s", (int)l, name[k].at, what,
                                          name[k].end);
            }
        }
}

static peft_status init(pf_adapter *a, const pf_vit *v)
{
    ((ssf *)pf_state(a))->width = v->width;
    declare(a, v);
    return pf_done(a);
}

static void emit(const void *state, pf_build *b, pf_site *s)
{
    static const int spot[] = { [PF_PATCH] = PATCH, [PF_QKV] = -1, [PF_Q] = QKV, [PF_K] = QKV, [PF_V] = QKV,
                                [PF_PROJ] = PROJ,
                                [PF_FC1] = FC1, [PF_FC2] = FC2, [PF_NORM1] = NORM1, [PF_NORM2] = NORM2,
                                    [PF_FINAL] = FINAL };
    const ssf *m = state;
    const int64_t l = s->layer < 0 ? 64 : s->layer;
    const int k = spot[s->role];
    if (k < 0) return;
    pf_val gamma = pf_use(b, m->gamma[l][k]), beta = pf_use(b, m->beta[l][k]);
    if (k == QKV) {
        gamma = pf_slice(b, gamma, (s->role - PF_Q) * m->width, m->width);
        beta = pf_slice(b, beta, (s->role - PF_Q) * m->width, m->width);
    }
    s->out = pf_affine(b, s->out, gamma, beta);
}

/* gamma (w x + b) + beta: rows of w times gamma, b gamma + beta; the same for a norm's own scale and shift. */
static void fold(pf_merge *mg, const ssf *m, int64_t at, int spot, const char *name, int64_t rows, int64_t cols)
{
    pk_real *w, *b;
    const pk_real *gamma = pf_merge_value(m->gamma[at][spot]), *beta = pf_merge_value(m->beta[at][spot]);
    if (at == 64) w = pf_merge_tensor(mg, "%s.weight", name), b = pf_merge_tensor(mg, "%s.bias", name);
    else w = pf_merge_tensor(mg, "blocks.%d.%s.weight", (int)at, name), b = pf_merge_tensor(mg, "blocks.%d.%s.bias", (int)at, name);
    for (int64_t i = 0; w && b && i < rows; i++) {
        for (int64_t j = 0; j < cols; j++) w[i * cols + j] *= gamma[i];
        b[i] = b[i] * gamma[i] + beta[i];
    }
}

static void merge(const void *state, pf_merge *mg, const pf_vit *v, bool others)
{
    const ssf *m = state;
    const int64_t c = v->width, f = v->fc1;
    if (others) pf_merge_refuse(mg, "its scales beside another adapter");
    fold(mg, m, 64, PATCH, "patch_embed.proj", c, v->patch_values);
    for (int64_t l = 0; l < v->depth; l++) {
        fold(mg, m, l, NORM1, "norm1", c, 1);
        fold(mg, m, l, QKV, "attn.qkv", 3 * c, c);
        fold(mg, m, l, PROJ, "attn.proj", c, c);
        fold(mg, m, l, NORM2, "norm2", c, 1);
        fold(mg, m, l, FC1, "mlp.fc1", f, c);
        fold(mg, m, l, FC2, "mlp.fc2", c, v->mlp);
    }
    fold(mg, m, 64, FINAL, pf_merge_has(mg, "fc_norm.weight") ? "fc_norm" : "norm", c, 1);
}

const pf_method pf_method_ssf = {
    .name = "ssf", .summary = "a learned scale and shift behind every operation", .paper = "arXiv:2210.08823",
    .sites = PF_AT(PF_NORM) | PF_AT(PF_LINEAR), .state_size = sizeof(ssf), .init = init, .emit = emit,
    .merge = merge };
