/* SPDX-License-Identifier: Apache-2.0
 * attention_problem.h -- the arguments of one attention call and its gradient. Every array has exactly the length that
 * its extents need and ends at an inaccessible page. Output rows have spare columns that kernels must not write.
 * Extra keys and values (xk, xv) follow those of the tokens; a sink is a logit of each query without a key; boost is a
 * factor of all logits of a head (pk_attention.head_scale). */
#ifndef ATTENTION_PROBLEM_H
#define ATTENTION_PROBLEM_H
#include "attention_naive.h"
#include "guarded.h"
#include "kernels/pk.h"

enum { SPARE = 3 };                         /* columns of each output row that belong to no head */
/* Gradients to compute, as bits. */
enum { DQ = 1, DK = 2, DV = 4, DXK = 8, DXV = 16, DSINK = 32, DBOOST = 64, ALL = 127 };

typedef struct shape {
    int64_t samples, heads;
    int64_t n;                              /* head size */
    int64_t queries, keys, extra;           /* extra: number of extra keys */
    int sink, boost;                        /* 1: with a sink, with a factor for each head */
    int own_extra;                          /* 1: each sample has its own extra keys; 0: all share them */
    float max_logit;                        /* about the largest |logit| */
} shape;

typedef struct problem {
    shape s;
    pk_attention a;
    pk_attention_grad g;
    guarded q, k, v, xk, xv, sink, boost, dout;                                      /* inputs */
    guarded out, lse, dq, dk, dv, dxk, dxv, dsink, dboost;                           /* outputs */
} problem;

/* Uniform noise in [-amplitude, amplitude]. */
static guarded guarded_noise_of(int64_t count, float amplitude, uint64_t *state)
{
    guarded m = guarded_noise(count, state);
    for (int64_t i = 0; i < count; i++) m.data[i] *= amplitude;
    return m;
}

static void guarded_fill(const guarded *m, float x)
{
    for (int64_t i = 0; i < m->count; i++) m->data[i] = x;
}

/* Loops over the instruction sets and the arithmetics of attention; problem_make makes problems of `arithmetic`. */
static pk_compute arithmetic;
static const pk_compute attention_arithmetics[] = { PK_COMPUTE_F32, PK_COMPUTE_BF16 };
#define EACH_KERNEL(isa) for (const char *const *isa = pk_isas(); *isa; isa++) \
    for (int k_ = 0; k_ < 2 ? (arithmetic = attention_arithmetics[k_], 1) : (arithmetic = PK_COMPUTE_F32); k_++)

/* A problem of shape s whose inputs are noise; outputs are allocated, not written. */
static problem problem_make(shape s)
{
    const int64_t width = s.heads * s.n, out_row = width + SPARE, per_query = s.samples * s.heads * s.queries;
    const int64_t extra_samples = s.own_extra ? s.samples : 1;
    const float amplitude = sqrtf(s.max_logit * 3 / sqrtf((float)s.n));       /* makes |logit| > max_logit rare */
    uint64_t state = (uint64_t)(s.queries * 131 + s.keys * 7 + s.n);
    problem p = { .s = s,
        .q = guarded_noise_of(s.samples * s.queries * width, amplitude, &state),
        .k = guarded_noise_of(s.samples * s.keys * width, amplitude, &state),
        .v = guarded_noise_of(s.samples * s.keys * width, 1, &state),
        .xk = guarded_noise_of(extra_samples * s.extra * width, amplitude, &state),
        .xv = guarded_noise_of(extra_samples * s.extra * width, 1, &state),
        .sink = guarded_noise_of(s.queries, s.max_logit, &state),
        .boost = guarded_noise_of(s.heads, 1.5f, &state),
        .dout = guarded_noise_of(s.samples * s.queries * width, 1, &state),
        .out = guarded_make(s.samples * s.queries * out_row), .lse = guarded_make(per_query),
        .dq = guarded_make(s.samples * s.queries * out_row), .dk = guarded_make(s.samples * s.keys * out_row),
        .dv = guarded_make(s.samples * s.keys * out_row), .dxk = guarded_make(s.samples * s.extra * out_row),
        .dxv = guarded_make(s.samples * s.extra * out_row), .dsink = guarded_make(per_query),
        .dboost = guarded_make(per_query) };
    const int64_t extra_stride = s.own_extra ? s.extra * width : 0;
    p.a = (pk_attention){ .compute = arithmetic, .samples = s.samples, .heads = s.heads, .head_dim = s.n,
        .queries = s.queries, .keys = s.keys, .extra = s.extra, .scale = 1 / sqrtf((float)s.n),
        .q = { p.q.data, s.queries * width, width, PK_REAL },
        .k = { p.k.data, s.keys * width, width, PK_REAL },
        .v = { p.v.data, s.keys * width, width, PK_REAL }, .out = p.out.data,
        .out_sample_stride = s.queries * out_row, .out_row_stride = out_row, .lse = p.lse.data };
    if (s.extra) p.a.xk = (pk_operand){ p.xk.data, extra_stride, width, PK_REAL },
        p.a.xv = (pk_operand){ p.xv.data, extra_stride, width, PK_REAL };
    if (s.sink) p.a.sink = p.sink.data;
    if (s.boost) p.a.head_scale = p.boost.data;
    return p;
}

/* The arguments of the backward; want: the gradients to compute (bits DQ to DBOOST). */
static pk_attention_grad problem_grad(const problem *p, int want)
{
    const shape s = p->s;
    const int64_t width = s.heads * s.n, out_row = width + SPARE;
    pk_attention_grad g = { .fwd = p->a, .dout = { p->dout.data, s.queries * width, width, PK_REAL } };
    if (want & DQ) g.dq = (pk_output){ p->dq.data, s.queries * out_row, out_row };
    if (want & DK) g.dk = (pk_output){ p->dk.data, s.keys * out_row, out_row };
    if (want & DV) g.dv = (pk_output){ p->dv.data, s.keys * out_row, out_row };
    if ((want & DXK) && s.extra) g.dxk = (pk_output){ p->dxk.data, s.extra * out_row, out_row };
    if ((want & DXV) && s.extra) g.dxv = (pk_output){ p->dxv.data, s.extra * out_row, out_row };
    if ((want & DSINK) && s.sink) g.dsink = p->dsink.data;
    if (want & DBOOST) g.dhead_scale = p->dboost.data;
    return g;
}

static void problem_free(problem *p)
{
    guarded *const m[] = { &p->q, &p->k, &p->v, &p->xk, &p->xv, &p->sink, &p->boost, &p->dout, &p->out, &p->lse,
                          &p->dq, &p->dk, &p->dv, &p->dxk, &p->dxv, &p->dsink, &p->dboost };
    for (size_t i = 0; i < sizeof m / sizeof *m; i++) guarded_free(m[i]);
}

/* Scratch of exactly pk_attention_work bytes, 64-byte aligned, filled with NaN: kernels must not read it before they
 * write it. */
static guarded scratch_make(const pk_table *t, const pk_attention *a, pk_direction direction)
{
    guarded m = guarded_make((int64_t)(pk_attention_work(t, a, direction) / sizeof(float)));
    guarded_fill(&m, NAN);
    return m;
}

/* Computes out and lse of all samples and heads with the kernels of table t. */
static void run_forward(const pk_table *t, const problem *p)
{
    guarded w = scratch_make(t, &p->a, PK_FORWARD);
    for (int64_t b = 0; b < p->s.samples; b++)
        for (int64_t h = 0; h < p->s.heads; h++) t->product[p->a.compute].attention(&p->a, b, h, w.data);
    guarded_free(&w);
}

/* Computes the gradients `want` (bits DQ to DBOOST) of all samples and heads; reads out and lse of run_forward. */
static void run_backward(const pk_table *t, const problem *p, int want)
{
    guarded w = scratch_make(t, &p->a, PK_GRADIENT);
    const pk_attention_grad g = problem_grad(p, want);
    for (int64_t b = 0; b < p->s.samples; b++)
        for (int64_t h = 0; h < p->s.heads; h++) t->product[p->a.compute].attention_grad(&g, b, h, w.data);
    guarded_free(&w);
}

/* Element c of row t of head h, of n columns, of sample b. */
static double operand_element(const pk_operand *o, int64_t n, int64_t b, int64_t h, int64_t t, int64_t c)
{
    return ((const float *)o->data)[b * o->sample_stride + t * o->row_stride + h * n + c];
}

/* Outputs and gradients of (sample b, head h) in double precision. */
static naive problem_naive(const problem *p, int64_t b, int64_t h)
{
    const shape s = p->s;
    naive x;
    naive_make(&x, s.queries, s.keys + s.extra, s.n, s.sink);
    x.scale = p->a.scale;
    x.boost = s.boost ? p->boost.data[h] : 1;
    for (int64_t i = 0; i < s.queries; i++) {
        if (s.sink) x.sink[i] = p->sink.data[i];
        for (int64_t c = 0; c < s.n; c++) {
            x.q[i * s.n + c] = operand_element(&p->a.q, s.n, b, h, i, c);
            x.dout[i * s.n + c] = p->dout.data[((b * s.queries + i) * s.heads + h) * s.n + c];
        }
    }
    for (int64_t k = 0; k < s.keys + s.extra; k++) {
        const int ordinary = k < s.keys;
        const pk_operand *key = ordinary ? &p->a.k : &p->a.xk, *value = ordinary ? &p->a.v : &p->a.xv;
        const int64_t t = ordinary ? k : k - s.keys;
        for (int64_t c = 0; c < s.n; c++) {
            x.k[k * s.n + c] = operand_element(key, s.n, b, h, t, c);
            x.v[k * s.n + c] = operand_element(value, s.n, b, h, t, c);
        }
    }
    naive_forward(&x);
    naive_backward(&x);
    return x;
}
#endif
