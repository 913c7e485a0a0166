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
            const int64_t at = l < v->depth ? l : 64, n = k == QKV ? 3 * v->width : k == FC1 ? v->mlp : v->width;
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

const pf_method pf_method_ssf = {
    .name = "ssf", .summary = "a learned scale and shift behind every operation", .paper = "arXiv:2210.08823",
    .sites = PF_AT(PF_NORM) | PF_AT(PF_LINEAR), .state_size = sizeof(ssf), .init = init, .emit = emit };
