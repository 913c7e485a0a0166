/* SPDX-License-Identifier: Apache-2.0
 * attention.c -- softmax attention with optional extra keys and values, sink logits and a scale for each head
 * (kernels/pk.h defines them), and its gradient: one node, which computes only those outputs that are wanted. */
#include <math.h>
#include "core/graph/op.h"

enum { Q, K, V, XK, XV, SINK, HSCALE };                 /* inputs of attention; the gradient's start with these */
enum { OUT = 7, LSE = 8, DOUT = 9 };                    /* further inputs of attention_grad */
enum { DQ, DK, DV, DXK, DXV, DSINK, DHSCALE };          /* outputs of attention_grad: output i is the gradient of
                                                         * input i of attention */
enum { HEADS, WANTED };                                 /* attr.i: number of heads; of attention_grad: bit i set: output
                                                         * i is wanted */

/* The extent of the token axis, the last but one. */
static int64_t tokens(const pf_graph *g, pf_val v)
{
    const pf_shape *s = &pf_v(g, v)->shape;
    return s->dim[s->ndim - 2];
}

/* Do these keys and values (inputs K, V or XK, XV) have the width of q, and equally many rows? */
static bool keys_fit(const pf_graph *g, const pf_node *n, int keys)
{
    const pf_shape *q = &pf_v(g, n->in[Q])->shape;
    for (int i = keys; i <= keys + 1; i++) {
        const pf_shape *s = &pf_v(g, n->in[i])->shape;
        if (s->ndim < 2 || s->ndim > 3 || s->dim[s->ndim - 1] != q->dim[2]
            || tokens(g, n->in[i]) != tokens(g, n->in[keys])
            || (s->ndim == 3 && s->dim[0] != 1 && s->dim[0] != q->dim[0])) return false;
    }
    return true;
}

/* in: q [b,nq,d], k, v [b,nk,d] or [nk,d], xk?, xv? [b,m,d] or [m,d], sink? [nq], head_scale? [heads]; attr i[0]:
 * heads; out: out [b,nq,d], lse [b,heads,nq]. Keys and values without a batch are the same for all samples. */
static bool attention_infer(pf_graph *g, pf_node *n)
{
    const pf_shape q = pf_v(g, n->in[Q])->shape;
    int64_t heads = n->attr.i[HEADS];
    if (q.ndim != 3 || heads < 1 || q.dim[2] % heads || !keys_fit(g, n, K))
        return pf_bad_shape(g, n, "q [b, n, d], k and v [b, m, d] or [m, d], d a multiple of the heads");
    if (pf_exists(n->in[XK]) != pf_exists(n->in[XV]) || (pf_exists(n->in[XK]) && !keys_fit(g, n, XK)))
        return pf_bad_shape(g, n, "extra keys and values [n, d] or [b, n, d], as wide as q");
    if (pf_exists(n->in[SINK]) && pf_shape_count(&pf_v(g, n->in[SINK])->shape) != q.dim[1])
        return pf_bad_shape(g, n, "one sink logit for each row of q");
    if (pf_exists(n->in[HSCALE]) && pf_shape_count(&pf_v(g, n->in[HSCALE])->shape) != heads)
        return pf_bad_shape(g, n, "one scale for each head");
    return pf_output(g, n, 0, q) && pf_output(g, n, 1, pf_shape_of(3, q.dim[0], heads, q.dim[1]));
}

/* An operand of the kernel: address and strides of v. A v without a batch is the same for all samples: stride 0. */
static pk_operand operand_of(const pf_run *r, pf_val v)
{
    pf_mat m = pf_matrix(r, v);
    pk_operand o = { m.p, 0, m.ld, pf_v(r->g, v)->type };
    const pf_shape *s = &pf_v(r->g, v)->shape;
    if (m.p && s->ndim == 3 && s->dim[0] > 1) o.sample_stride = tokens(r->g, v) * m.ld;  /* [1,n,d]: for all samples */
    return o;
}

/* An output of the kernel: address and strides of v; for PF_NONE the address is NULL. */
static pk_output output_of(const pf_run *r, pf_val v)
{
    pf_mat m = pf_matrix(r, v);
    pk_output o = { m.p, m.p ? tokens(r->g, v) * m.ld : 0, m.ld };
    return o;
}

/* What the kernel gets for the inputs of n and these two outputs (PF_NONE allowed). */
static pk_attention attention_of(const pf_run *r, const pf_node *n, pf_val out, pf_val lse)
{
    const pf_graph *g = r->g;
    int64_t heads = n->attr.i[HEADS], width = pf_cols(g, n->in[Q]);
    pk_attention a = {
        .samples = pf_v(g, n->in[Q])->shape.dim[0], .heads = heads, .head_dim = width / heads,
        .compute = r->attention, .queries = tokens(g, n->in[Q]), .keys = tokens(g, n->in[K]),
        .extra = pf_exists(n->in[XK]) ? tokens(g, n->in[XK]) : 0,
        .scale = (pk_real)(1.0 / sqrt((double)(width / heads))),
        .q = operand_of(r, n->in[Q]), .k = operand_of(r, n->in[K]), .v = operand_of(r, n->in[V]),
        .xk = operand_of(r, n->in[XK]), .xv = operand_of(r, n->in[XV]),
        .sink = r->ptr[n->in[SINK].id], .head_scale = r->ptr[n->in[HSCALE].id], .lse = r->ptr[lse.id] };
    pk_output o = output_of(r, out);
    a.out = o.data; a.out_type = pf_v(r->g, out)->type;
    a.out_sample_stride = o.sample_stride; a.out_row_stride = o.row_stride;
    a.prefetch_heads = r->threads;          /* T threads take heads in order: the thread that computes head h probably
                                             * goes on with head h + T, whose operands the kernel prefetches */
    return a;
}

/* worker_bytes: scratch memory of one thread. */
typedef struct { const pf_run *r; pk_attention_grad a; size_t worker_bytes; } job;

/* A task is one head of one sample. */
static void forward(void *arg, int64_t task, int worker)
{
    const job *j = arg;
    int64_t heads = j->a.fwd.heads;
    void *scratch = (char *)j->r->scratch + (size_t)worker * j->worker_bytes;
    j->r->kernels->product[j->r->attention].attention(&j->a.fwd, task / heads, task % heads, scratch);
}

static void backward(void *arg, int64_t task, int worker)
{
    const job *j = arg;
    int64_t heads = j->a.fwd.heads;
    void *scratch = (char *)j->r->scratch + (size_t)worker * j->worker_bytes;
    j->r->kernels->product[j->r->attention].attention_grad(&j->a, task / heads, task % heads, scratch);
}

/* Scratch bytes of one thread for the kernel attention or attention_grad. */
static size_t worker_bytes(const pf_run *r, const pf_node *n, pk_direction direction)
{
    pk_attention a = attention_of(r, n, PF_NONE, PF_NONE);
    return pf_align_up(pk_attention_work(r->kernels, &a, direction));
}

static size_t attention_scratch(const pf_run *r, const pf_node *n)
{
    return worker_bytes(r, n, PK_FORWARD) * (size_t)r->threads;
}

static size_t grad_scratch(const pf_run *r, const pf_node *n)
{
    return worker_bytes(r, n, PK_GRADIENT) * (size_t)r->threads;
}

static void attention_run(const pf_run *r, const pf_node *n)
{
    job j = { .r = r, .a = { .fwd = attention_of(r, n, n->out[0], n->out[1]) },
              .worker_bytes = worker_bytes(r, n, PK_FORWARD) };
    pk_pool_run(r->pool, j.a.fwd.samples * j.a.fwd.heads, forward, &j);
}

/* Floating-point operations of `count` products of [queries, head_dim] with [head_dim, keys] for each head. */
static int64_t count_flops(const pf_graph *g, const pf_node *n, int64_t count)
{
    int64_t keys = tokens(g, n->in[K]) + (pf_exists(n->in[XK]) ? tokens(g, n->in[XK]) : 0);
    return 2 * count * pf_shape_count(&pf_v(g, n->in[Q])->shape) * keys;
}
static int64_t attention_flops(const pf_graph *g, const pf_node *n)
{
    const int64_t products = 2;                              /* Q K^T, then P V with the weights P */
    return count_flops(g, n, products);
}

/* Appends one attention_grad for all inputs whose gradient is wanted, then the sums over samples and heads of those
 * gradients of which it computes a part for each sample. */
static void attention_grad_emit(pf_grads *gr, const pf_node *n)
{
    pf_node b = { .op = &pf_op_attention_grad, .attr = n->attr, .backward = true };
    for (int i = Q; i <= HSCALE; i++) {
        b.in[i] = n->in[i];
        b.attr.i[WANTED] |= (int64_t)pf_grad_wanted(gr, n->in[i]) << i;
    }
    b.in[OUT] = n->out[0];
    b.in[LSE] = n->out[1];
    b.in[DOUT] = pf_grad_of(gr, n->out[0]);
    pf_emit_node(gr->g, b, &b);
    if (gr->g->status) return;
    if (pf_exists(b.out[Q])) pf_grad_add(gr, n->in[Q], b.out[Q]);
    for (int i = K; i <= HSCALE; i++) {
        pf_val part = b.out[i];
        if (!pf_exists(part)) continue;
        if (i == HSCALE) part = PF_EMIT_BACKWARD(gr, &pf_op_row_sums, NULL, part);
        if (i == SINK) {                                         /* [b,heads,nq] -> [nq] */
            pf_attr a = { .shape = pf_shape_of(1, pf_cols(gr->g, part)) };
            part = PF_EMIT_BACKWARD(gr, &pf_op_sum_to, &a, part);
        }
        pf_grad_add_reduced(gr, n->in[i], part);
    }
}

const pf_op pf_op_attention = { .name = "attention", .kernel = "attention", .flags = PF_STRIDED_OUT,
    .infer = attention_infer,
    .grad = attention_grad_emit, .scratch_bytes = attention_scratch, .run = attention_run, .flops = attention_flops };

/* in: as attention, then out, lse, dout; attr i[0]: heads, i[1]: bit i set: the gradient of in[i] is wanted; out: dq
 * like q; dk, dv [b,nk,d], dxk, dxv [b,m,d], dsink, dhead_scale [b,heads,nq]: a part for each sample (and head), which
 * further nodes sum for inputs without a batch */
static bool grad_infer(pf_graph *g, pf_node *n)
{
    const pf_shape q = pf_v(g, n->in[Q])->shape;
    for (int i = Q; i <= HSCALE; i++) {
        if (!(n->attr.i[WANTED] >> i & 1)) continue;
        pf_shape s = i <= XV ? pf_shape_of(3, q.dim[0], tokens(g, n->in[i]), q.dim[2])
                             : pf_v(g, n->in[LSE])->shape;
        if (!pf_output(g, n, i, s)) return false;
    }
    return true;
}

static void grad_run(const pf_run *r, const pf_node *n)
{
    job j = { .r = r, .worker_bytes = worker_bytes(r, n, PK_GRADIENT) };
    j.a.fwd = attention_of(r, n, n->in[OUT], n->in[LSE]);
    j.a.dout = operand_of(r, n->in[DOUT]);
    j.a.dq = output_of(r, n->out[DQ]); j.a.dk = output_of(r, n->out[DK]); j.a.dv = output_of(r, n->out[DV]);
    j.a.dxk = output_of(r, n->out[DXK]); j.a.dxv = output_of(r, n->out[DXV]);
    j.a.dsink = r->ptr[n->out[DSINK].id];
    j.a.dhead_scale = r->ptr[n->out[DHSCALE].id];
    pk_pool_run(r->pool, j.a.fwd.samples * j.a.fwd.heads, backward, &j);
}

static int64_t grad_flops(const pf_graph *g, const pf_node *n)
{
    const bool dk = pf_exists(n->out[DK]) || pf_exists(n->out[DXK]), dq = pf_exists(n->out[DQ]);
    const bool dv = pf_exists(n->out[DV]) || pf_exists(n->out[DXV]), dp = dq || dk;        /* dQ and dK need dP */
    return count_flops(g, n, dv + dp + dq + dk);            /* the scores, which are computed again, do not count */
}

const pf_op pf_op_attention_grad = { .name = "attention_grad", .kernel = "attention_grad", .flags = PF_STRIDED_OUT,
    .reads_bf16 = 1u << Q | 1u << K | 1u << V | 1u << XK | 1u << XV | 1u << OUT,
    .infer = grad_infer, .scratch_bytes = grad_scratch, .run = grad_run, .flops = grad_flops };
