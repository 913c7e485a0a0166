/* SPDX-License-Identifier: Apache-2.0
 * vera.c -- Vector-based Random Matrix Adaptation (Kopiczko et al., ICLR 2024): y += b * (B (d * (A x))) beside chosen
 * linear layers. The random matrices A [r,in] and B [out,r] are shared by all layers and not trained; a layer uses the
 * first columns of A and the first rows of B. Only the vectors d [r] and b [out] of each layer are trained. */
#include <peft/sys/method.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "targets.h"

typedef struct { peft_param *d, *b; } vectors;               /* d NULL: the layer is not adapted */
typedef struct {
    vectors at[PF_OUTSIDE + 1][PF_LAYERS];
    peft_param *a, *b;                                       /* the shared matrices, buffers */
    int64_t in, rank;                                        /* columns of A, its rows */
    double dropout;
    peft_vit vit;
} vera;

static const peft_option opts[] = {
    { "r",         'i', "256", 1, 4096, "rank: columns of B, rows of A" },
    { "targets",   's', "attn.q,attn.v", 0, 0, "any of " PF_TARGET_NAMES "; also " PF_OTHER_TARGET_NAMES },
    { "layers",    's', "all", 0, 0, "blocks that are adapted" },
    { "d_initial", 'f', "0.1", -100, 100, "initial value of the elements of d; those of b are 0" },
    { "dropout",   'f', "0", 0, 0.99, "dropout on the input of A, in training" },
    { 0 } };

static int64_t larger(int64_t x, int64_t y) { return x > y ? x : y; }

static peft_status init(peft_adapter *a, const peft_vit *v)
{
    vera *m = peft_sys_state(a);
    const pf_targets t = pf_read_targets(a, v, "targets", "layers");
    const double d_initial = peft_sys_opt_float(a, "d_initial");
    char path[PF_LAYER_PATH];
    int64_t out = 1;
    m->in = 1;
    m->rank = peft_sys_opt_int(a, "r");
    m->dropout = peft_sys_opt_float(a, "dropout");
    m->vit = *v;
    if (!t.kinds)
        peft_sys_reject_option(a, "targets", "some of " PF_TARGET_NAMES ", each once; also " PF_OTHER_TARGET_NAMES);
    for (int l = 0; l <= PF_OUTSIDE; l++)
        for (int i = 0; i < PF_LAYERS; i++) {
            const pf_layer k = (pf_layer)i;
            if (!pf_is_target(&t, k, l)) continue;
            pf_layer_path(path, k, l);
            m->in = larger(m->in, pf_layer_in(v, k));
            out = larger(out, pf_layer_out(v, k));
            m->at[l][k].d = peft_sys_declare(a, PEFT_DIMS(m->rank), "one", "%s.vera_lambda_d", path);
            peft_sys_set_init(a, m->at[l][k].d, peft_sys_init_rule(a, "normal:0", d_initial));
            m->at[l][k].b = peft_sys_declare(a, PEFT_DIMS(pf_layer_out(v, k)), "zero", "%s.vera_lambda_b", path);
        }
    /* Kaiming's uniform distribution, with the gain of ReLU: +- sqrt(6 / fan_in) */
    m->a = peft_sys_declare_buffer(a, PEFT_DIMS(m->rank, m->in),
                                   peft_sys_init_rule(a, "uniform", sqrt(6 / (double)m->in)), "vera_A");
    m->b = peft_sys_declare_buffer(a, PEFT_DIMS(out, m->rank),
                                   peft_sys_init_rule(a, "uniform", sqrt(6 / (double)m->rank)), "vera_B");
    return peft_sys_init_status(a);
}

/* The value added to the output of layer k for its input x. */
static peft_val update(const vera *m, peft_build *b, const vectors *t, pf_layer k, peft_val x)
{
    const int64_t in = pf_layer_in(&m->vit, k), out = pf_layer_out(&m->vit, k);
    peft_val shared_a = peft_sys_param(b, m->a), shared_b = peft_sys_slice(b, peft_sys_param(b, m->b), 0, out);
    if (in < m->in)                                          /* the first columns of A */
        shared_a = peft_sys_transpose(b, peft_sys_take_rows(b, peft_sys_transpose(b, shared_a), 0, in));
    x = peft_sys_linear(b, peft_sys_dropout(b, x, m->dropout), shared_a, PEFT_NONE);
    x = peft_sys_affine(b, x, peft_sys_param(b, t->d), PEFT_NONE);
    x = peft_sys_affine(b, peft_sys_linear(b, x, shared_b, PEFT_NONE), peft_sys_param(b, t->b), PEFT_NONE);
    return pf_whole_output(b, &m->vit, k, x);
}

static void emit(const void *state, peft_build *b, peft_site *s)
{
    const vera *m = state;
    for (int i = 0; i < PF_LAYERS; i++) {
        const vectors *t = &m->at[s->layer < 0 ? PF_OUTSIDE : s->layer][i];
        if (t->d && pf_layer_names[i].role == s->role)
            s->out = peft_sys_add(b, s->out, update(m, b, t, (pf_layer)i, s->in));
    }
}

/* W += diag(b) B diag(d) A in the rows of layer k. */
static void fold(peft_merge *mg, const vera *m, const vectors *t, int64_t l, pf_layer k)
{
    char path[PF_LAYER_PATH];
    const int64_t in = pf_layer_in(&m->vit, k), out = pf_layer_out(&m->vit, k), first = pf_layer_first_row(&m->vit, k);
    const peft_real *a = peft_sys_merge_value(m->a), *b = peft_sys_merge_value(m->b);
    const peft_real *lambda_d = peft_sys_merge_value(t->d), *lambda_b = peft_sys_merge_value(t->b);
    pf_layer_tensor_path(path, k, l);
    peft_real *w = peft_sys_merge_tensor(mg, "%s.weight", path);
    for (int64_t i = 0; w && i < out; i++)
        for (int64_t j = 0; j < in; j++) {
            double sum = 0;
            for (int64_t r = 0; r < m->rank; r++)
                sum += (double)b[i * m->rank + r] * (double)lambda_d[r] * (double)a[r * m->in + j];
            w[(first + i) * in + j] = (peft_real)(w[(first + i) * in + j] + (double)lambda_b[i] * sum);
        }
}

static void merge(const void *state, peft_merge *mg, const peft_vit *v, bool others)
{
    const vera *m = state;
    (void)v, (void)others;
    for (int l = 0; l <= PF_OUTSIDE; l++)
        for (int k = 0; k < PF_LAYERS; k++) if (m->at[l][k].d) fold(mg, m, &m->at[l][k], l, (pf_layer)k);
}

const peft_method pf_method_vera = {
    .name = "vera", .summary = "scaled random updates of linear layers, shared by all layers",
    .paper = "arXiv:2310.11454", .opts = opts, .sites = PEFT_AT(PEFT_LINEAR), .state_size = sizeof(vera), .init = init,
    .emit = emit, .merge = merge };
