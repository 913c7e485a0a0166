/* SPDX-License-Identifier: Apache-2.0
 * op_cases.h -- small graphs for every operation that has a gradient: op_cases[i].build makes one in several variants
 * (shapes, optional inputs). */
#ifndef OP_CASES_H
#define OP_CASES_H
#include "op_column_cases.h"
#include "op_head_cases.h"

/* --- one function for each operation; v: the variant ------------------------------------------------------------ */
/* v 0 and 1: without and with bias; 2: x is one vector; 3: one row, one output; 4: x is its own weight; 5: the weight
 * is that of a convolution, [4, 3, 2, 2] */
static pf_val case_linear(lab *l, int v)
{
    pf_graph *g = &l->g;
    if (v == 0) { pf_val x = LEAF(l, B, T, 5), w = LEAF(l, 4, 5); return peft_sys_linear(g, x, w, NONE); }
    if (v == 1) { pf_val x = LEAF(l, B, T, 5), w = LEAF(l, 4, 5), b = LEAF(l, 4); return peft_sys_linear(g, x, w, b); }
    if (v == 2) { pf_val x = LEAF(l, 5), w = LEAF(l, 7, 5), b = LEAF(l, 7); return peft_sys_linear(g, x, w, b); }
    if (v == 3) { pf_val x = LEAF(l, 1, 1, 9), w = LEAF(l, 1, 9), b = LEAF(l, 1); return peft_sys_linear(g, x, w, b); }
    if (v == 4) { pf_val x = LEAF(l, 5, 5); return peft_sys_linear(g, x, x, NONE); }
    pf_val x = LEAF(l, B, T, 12), w = lab_leaf_as(l, dense(l), PEFT_DIMS(4, 3, 2, 2));
    return peft_sys_linear(g, x, w, LEAF(l, 4));
}

/* v: bit 0: gamma, bit 1: beta */
static pf_val case_layernorm(lab *l, int v)
{
    pf_val x = LEAF(l, B, T, 5), gamma = v & 1 ? LEAF(l, 5) : NONE, beta = v & 2 ? LEAF(l, 5) : NONE;
    return peft_sys_layernorm(&l->g, x, gamma, beta, 1e-6);
}

/* v: bit 0: gamma, bit 1: beta, bit 2: by running statistics, as in evaluation; bits 3 and 4: features, maps, maps with
 * ReLU, features with ReLU */
static pf_val case_batchnorm(lab *l, int v)
{
    const double eps = 1e-5, momentum = 0.1;                /* of the running statistics */
    const bool map = v >> 3 == 1 || v >> 3 == 2;
    pf_val x = map ? LEAF(l, B, 3, D) : LEAF(l, 5, 1, D);
    pf_val gamma = v & 1 ? LEAF(l, D) : NONE, beta = v & 2 ? LEAF(l, D) : NONE;
    pf_val mean = lab_const(l, PEFT_DIMS(D)), var = lab_const(l, PEFT_DIMS(D));
    pk_real *p = pf_v(&l->g, var)->data;
    for (int i = 0; i < D; i++) p[i] = 1 + p[i] * p[i];
    l->g.spec.training = !(v & 4);
    return pf_batchnorm(&l->g, (pf_val[]){ x, gamma, beta, mean, var }, eps, momentum, v >> 3 >= 2);
}

/* v: bits 0 and 1: extra keys and values, none, [n, d], [1, n, d] or [b, n, d]; bit 2: sink; bit 3: head_scale; bit 4:
 * one query for each sample */
static pf_val case_attention(lab *l, int v)
{
    enum { HEADS = 2, WIDTH = 6, EXTRA = 2 };
    peft_site s = { .q = LEAF(l, B, v & 16 ? 1 : T, WIDTH), .k = LEAF(l, B, 4, WIDTH), .v = LEAF(l, B, 4, WIDTH) };
    const int64_t extra[3][4] = { { EXTRA, WIDTH }, { 1, EXTRA, WIDTH }, { B, EXTRA, WIDTH } };
    if (v & 3) { s.xk = lab_leaf(l, extra[(v & 3) - 1]); s.xv = lab_leaf(l, extra[(v & 3) - 1]); }
    if (v & 4) s.sink = LEAF(l, v & 16 ? 1 : T);
    if (v & 8) s.head_scale = LEAF(l, HEADS);
    return peft_sys_attention(&l->g, HEADS, &s);
}

/* Keys and values that all samples share, [4,d] or [1,4,d]; with v 2 and 3 extra ones of each sample too. */
static pf_val case_shared_keys(lab *l, int v)
{
    enum { HEADS = 2, WIDTH = 6 };
    const int64_t shape[2][4] = { { 4, WIDTH }, { 1, 4, WIDTH } };
    peft_site s = { .q = LEAF(l, B, T, WIDTH), .k = lab_leaf(l, shape[v & 1]), .v = lab_leaf(l, shape[v & 1]) };
    if (v & 2) { s.xk = LEAF(l, B, 2, WIDTH); s.xv = LEAF(l, B, 2, WIDTH); }
    return peft_sys_attention(&l->g, HEADS, &s);
}

/* Queries, keys and values, with v 1 also the extra keys and values, are one value. */
static pf_val case_self_attention(lab *l, int v)
{
    pf_val x = LEAF(l, B, T, 6);
    peft_site s = { .q = x, .k = x, .v = x, .xk = v ? x : NONE, .xv = v ? x : NONE };
    return peft_sys_attention(&l->g, 3, &s);
}

/* The steps of attention one by one. v: bit 0: q, k and v are one value; bits 1 and 2: no sink, one for each query, one
 * for each query of each head of each sample */
static pf_val case_attention_steps(lab *l, int v)
{
    enum { HEADS = 2, WIDTH = 6 };
    pf_graph *g = &l->g;
    pf_val q = LEAF(l, B, T, WIDTH), k = v & 1 ? q : LEAF(l, B, 4, WIDTH), x = v & 1 ? q : LEAF(l, B, 4, WIDTH);
    pf_val sink = !(v & 6) ? NONE : v & 2 ? lab_leaf_as(l, dense(l), PEFT_DIMS(T))
                                          : lab_leaf_as(l, dense(l), PEFT_DIMS(B, HEADS, T));
    return peft_sys_attention_apply(g, peft_sys_softmax(g, peft_sys_attention_scores(g, HEADS, q, k), sink), x);
}

/* v: rows of [B,T,5], of [B,2,T,T]; of one element each, whose range is 0 */
static pf_val case_row_range(lab *l, int v)
{
    static const int64_t shape[][5] = { { B, T, 5 }, { B, 2, T, T }, { T, 1 } };
    pf_val x = lab_leaf(l, shape[v]);
    return v < 2 ? peft_sys_row_range(&l->g, x) : peft_sys_add(&l->g, peft_sys_row_range(&l->g, x), LEAF(l, T));
}

static pf_val case_scaled_logsumexp(lab *l, int v)
{
    static const int64_t shape[][4] = { { T }, { B, T }, { B, 2, T } };
    return peft_sys_scaled_logsumexp(&l->g, LEAF(l, T, v ? 5 : 1), lab_leaf_as(l, dense(l), shape[v]));
}

static pf_val case_act(lab *l, int v)
{
    static const char *const kind[] = { "gelu", "quickgelu", "relu", "tanh", "sigmoid", "silu", "exp", "gelu_tanh" };
    return peft_sys_activate(&l->g, LEAF(l, B, T, 5), kind[v]);
}

/* A binary operation on the pair of shapes v, which broadcast; v 8: x of shape 0 with itself */
static pf_val case_pair(lab *l, int v, pf_val (*op)(peft_build *, pf_val, pf_val))
{
    static const int64_t shape[][2][5] = {
        { { B, T, D }, { B, T, D } }, { { B, T, D }, { D } }, { { B, T, D }, { T, D } }, { { B, T, D }, { 1, T, D } },
        { { B, T, D }, { 1, 1, D } }, { { T, D }, { 1, T, D } }, { { D }, { D } }, { { B, 1, D }, { 1, D } } };
    if (v < 8) {
        pf_val x = lab_leaf(l, shape[v][0]), y = lab_leaf(l, shape[v][1]);
        return op(&l->g, x, y);
    }
    pf_val x = lab_leaf(l, shape[0][0]);
    return op(&l->g, x, x);
}
static pf_val case_add(lab *l, int v) { return case_pair(l, v, peft_sys_add); }
static pf_val case_mul(lab *l, int v) { return case_pair(l, v, peft_sys_mul); }

static pf_val case_scale(lab *l, int v) { return peft_sys_scale(&l->g, LEAF(l, B, T, D), v ? 1 : -0.3); }

static pf_val case_affine(lab *l, int v)
{
    pf_val x = LEAF(l, B, T, D), gamma = v & 1 ? LEAF(l, D) : NONE, beta = v & 2 ? LEAF(l, D) : NONE;
    return peft_sys_affine(&l->g, x, gamma, beta);
}

/* v 0..7: take_rows, 8..15: drop_rows; of these eight, each shape with the four row ranges */
static pf_val case_take(lab *l, int v)
{
    static const int64_t shape[][4] = { { B, 5, D }, { 5, D } };
    static const int rows[][2] = { { 0, 1 }, { 1, 3 }, { 2, 3 }, { 0, 5 } };               /* first, count */
    pf_val x = lab_leaf(l, shape[v / 4 % 2]);
    const int first = rows[v % 4][0], count = rows[v % 4][1];
    if (v < 8) return peft_sys_take_rows(&l->g, x, first, count);
    return peft_sys_drop_rows(&l->g, x, first, count < 5 ? count : 4);                     /* one row must stay */
}

/* v / 3: the row before which is inserted; v % 3: the shape of the inserted rows */
static pf_val case_insert(lab *l, int v)
{
    static const int64_t shape[][4] = { { 2, D }, { 1, 2, D }, { B, 2, D } };
    if (v >= 12) return peft_sys_insert_rows(&l->g, LEAF(l, T, D), v - 12, LEAF(l, 2, D));
    pf_val x = LEAF(l, B, T, D);
    return peft_sys_insert_rows(&l->g, x, v / 3, lab_leaf(l, shape[v % 3]));
}

static pf_val case_repeat(lab *l, int v)
{
    return peft_sys_repeat_batch(&l->g, lab_leaf(l, v ? PEFT_DIMS(1, T, D) : PEFT_DIMS(T, D)));
}

static pf_val case_mean_rows(lab *l, int v)
{
    static const int rows[][2] = { { 0, 5 }, { 1, 4 }, { 2, 1 } };                         /* first, count */
    return peft_sys_mean_rows(&l->g, LEAF(l, B, 5, D), rows[v][0], rows[v][1]);
}

static pf_val case_logsumexp(lab *l, int v)
{
    static const int64_t shape[][4] = { { T, 5 }, { B, T, 5 }, { T, 1 } };
    return peft_sys_logsumexp(&l->g, lab_leaf(l, shape[v]));
}

/* v 1 and above: inputs that differ by hundreds; the result is scaled down, since the loss is flat at such values */
static pf_val case_logaddexp(lab *l, int v)
{
    static const int64_t shape[][3] = { { 9 }, { 9 }, { T, 5 } };
    pf_val a = lab_leaf(l, shape[v]), b = lab_leaf(l, shape[v]);
    return peft_sys_scale(&l->g, peft_sys_logaddexp(&l->g, v ? peft_sys_scale(&l->g, a, 150) : a, b), v ? 0.01 : 1);
}

static pf_val case_dropout(lab *l, int v)
{
    pf_val x = LEAF(l, B, T, 5);
    return peft_sys_dropout(&l->g, v ? peft_sys_dropout(&l->g, x, 0.5) : x, 0.3);
}

static pf_val case_swap(lab *l, int v)
{
    return peft_sys_merge_heads(&l->g, lab_leaf_as(l, dense(l), v ? PEFT_DIMS(1, 4, 2) : PEFT_DIMS(3, 5, 2)));
}

static pf_val case_transpose(lab *l, int v)
{
    return peft_sys_transpose(&l->g, lab_leaf_as(l, dense(l), v ? PEFT_DIMS(B, T, D) : PEFT_DIMS(T, 5)));
}

/* v < 6: a factor for each row of all samples, for each row of a sample, for everything, in different shapes; 6: the
 * maximum of a row; 7: 1 for two rows and 0 for the third */
static pf_val case_mul_rows(lab *l, int v)
{
    static const int64_t factors[][4] = { { B, T }, { T }, { 1 }, { 1, T }, { B, T, 1 }, { T, 1 } };
    pf_val x = LEAF(l, B, T, D);
    if (v < 6) return peft_sys_mul_rows(&l->g, x, lab_leaf_as(l, dense(l), factors[v]));
    if (v == 7) return peft_sys_mul_rows(&l->g, x, peft_sys_random_rows(&l->g, x, 2));
    return peft_sys_mul_rows(&l->g, x, peft_sys_row_max(&l->g, lab_const(l, PEFT_DIMS(B, T, 5))));
}

/* The graph of DoRA, in which the norm of each row counts as a constant: m are the magnitudes. v 1: w is trained. */
static pf_val case_row_scale(lab *l, int v)
{
    pf_val x = LEAF(l, B, T, 5), m = LEAF(l, 4);
    pf_val a = lab_leaf_as(l, dense(l), PEFT_DIMS(2, 5)), b = lab_leaf_as(l, dense(l), PEFT_DIMS(4, 2));
    pf_val w = v ? lab_leaf_as(l, dense(l), PEFT_DIMS(4, 5)) : lab_const(l, PEFT_DIMS(4, 5));
    pf_val y = peft_sys_linear(&l->g, peft_sys_linear(&l->g, x, a, PF_NONE), b, PF_NONE);
    y = peft_sys_add(&l->g, peft_sys_scale(&l->g, y, 0.7), peft_sys_linear(&l->g, x, w, PF_NONE));
    return peft_sys_mul(&l->g, peft_sys_mul(&l->g, y, m), peft_sys_inverse_row_norms(&l->g, w, a, b, 0.7));
}

/* A constant of type bf16: the numbers of lab_const, rounded. */
static pf_val half_const(lab *l, const int64_t *dims)
{
    pf_val c = lab_const(l, dims);
    pf_value *v = pf_v(&l->g, c);
    uint16_t x[64];
    const int64_t n = pf_shape_count(&v->shape);
    ck_assert_int_le(n, 64);
    pf_from_real(x, PEFT_BF16, v->data, n);
    memcpy(v->data, x, (size_t)n * sizeof *x);
    v->type = PK_BF16;
    return c;
}

/* 16-bit weights: v 0 in linear and DoRA's row norms, which take them; v 1 in operations that need them widened. */
static pf_val case_half(lab *l, int v)
{
    pf_val x = LEAF(l, B, T, 5), w = half_const(l, PEFT_DIMS(4, 5));
    pf_val y = peft_sys_linear(&l->g, x, v & 1 ? peft_sys_slice(&l->g, w, 1, 2) : w, PF_NONE);
    if (v & 1) return peft_sys_mul(&l->g, y, half_const(l, PEFT_DIMS(2)));
    pf_val a = lab_leaf_as(l, dense(l), PEFT_DIMS(2, 5)), b = lab_leaf_as(l, dense(l), PEFT_DIMS(4, 2));
    y = peft_sys_add(&l->g, y, peft_sys_linear(&l->g, peft_sys_linear(&l->g, x, a, PF_NONE), b,
                                               half_const(l, PEFT_DIMS(4))));
    return peft_sys_mul(&l->g, y, peft_sys_inverse_row_norms(&l->g, w, a, b, 0.7));
}

/* Attention whose keys and values are the 2 + v rows with the largest mass in another attention. No gradient flows
 * through the choice of the rows. v: bit 0: the mass of query row 0 alone; bit 1: head_scale */
static pf_val case_selection(lab *l, int v)
{
    enum { ROWS = 4, WIDTH = 6, HEADS = 2 };
    const bool row_0_only = v & 1;
    peft_site s = { .q = LEAF(l, B, T, WIDTH), .k = LEAF(l, B, ROWS, WIDTH), .v = LEAF(l, B, ROWS, WIDTH) };
    if (v & 2) s.head_scale = LEAF(l, HEADS);
    pf_val mass = peft_sys_attention_mass(&l->g, HEADS, &s, row_0_only);
    peft_site selected = { .q = LEAF(l, B, 2, WIDTH), .k = peft_sys_top_rows(&l->g, s.k, mass, 2 + v),
                      .v = peft_sys_top_rows(&l->g, s.v, mass, 2 + v) };
    return peft_sys_attention(&l->g, HEADS, &selected);
}

/* The share of attention of one sink for each query (v 0), or for each sample, head and query (v 1). Attention is of
 * constants, as no gradient flows through the share; its factors are trained. */
static pf_val case_sink_mass(lab *l, int v)
{
    enum { WIDTH = 6, HEADS = 2 };
    peft_site s = { .q = lab_const(l, PEFT_DIMS(B, T, WIDTH)), .k = lab_const(l, PEFT_DIMS(B, 4, WIDTH)),
                    .v = lab_const(l, PEFT_DIMS(B, 4, WIDTH)), .sink = lab_const(l, PEFT_DIMS(T)) };
    pf_val lse, sink = v ? lab_const(l, PEFT_DIMS(B, HEADS, T)) : s.sink, factor = LEAF(l, T);
    pf_attention(&l->g, HEADS, &s, &lse);
    return peft_sys_mul(&l->g, pf_emit(&l->g, &pf_op_sink_mass, NULL, 2, (pf_val[]){ lse, sink }), factor);
}

static const pk_real class_weight[LAB_CLASSES] = { 0.5, 2, 1.25 }, pos_weight[LAB_CLASSES] = { 3, 1, 0.25 };
static const pf_loss losses[] = {
    { .kind = &pf_loss_ce }, { .kind = &pf_loss_ce, .label_smoothing = 0.2 },
    { .kind = &pf_loss_ce, .class_weights = class_weight },
    { .kind = &pf_loss_ce, .class_weights = class_weight, .by_batch = true },
    { .kind = &pf_loss_ce, .label_smoothing = 0.1, .class_weights = class_weight },
    { .kind = &pf_loss_bce }, { .kind = &pf_loss_bce_sum },
    { .kind = &pf_loss_bce, .class_weights = class_weight, .pos_weight = pos_weight } };

/* The graph ends in the loss v; there is no value for another loss. */
static pf_val case_loss(lab *l, int v)
{
    l->loss = losses[v];
    lab_loss(l, lab_leaf_as(l, dense(l), PEFT_DIMS(5, LAB_CLASSES)));
    return NONE;
}

/* Slices of one parameter that overlap or contain one another, in several orders. */
static pf_val case_slices(lab *l, int v)
{
    static const struct { int first, n; } part[][4] = {
        { { 2, 1 }, { 0, 1 } }, { { 0, 4 }, { 1, 2 } }, { { 1, 2 }, { 0, 4 } }, { { 1, 2 }, { 1, 2 } },
        { { 0, 3 }, { 2, 2 } }, { { 2, 2 }, { 0, 3 } }, { { 3, 1 }, { 1, 1 }, { 2, 1 }, { 0, 4 } },
        { { 1, 1 }, { 0, 2 }, { 1, 3 }, { 2, 1 } }, { { 0, 4 }, { 0, 4 } } };
    pf_graph *g = &l->g;
    pf_param *p = lab_trained_tensor(l, PEFT_DIMS(4, D));
    pf_val x = LEAF(l, B, T, D);
    for (int i = 0; i < 4 && part[v][i].n; i++) {
        pf_val rows = peft_sys_activate(g, peft_sys_slice(g, peft_sys_param(g, p), part[v][i].first, part[v][i].n),
                                        "tanh");
        x = peft_sys_insert_rows(g, x, i, rows);
    }
    return x;
}

/* v 0: peft_sys_select of one entry twice, and of an entry of it; v 1: products with adjacent entries, which a pass
 * merges, once 0 with 1 and once 1 with 2 */
static pf_val case_entries(lab *l, int v)
{
    pf_graph *g = &l->g;
    pf_val w = peft_sys_param(g, lab_trained_tensor(l, PEFT_DIMS(4, T, D))), x = LEAF(l, B, T, D), y = LEAF(l, B, T, D);
    if (!v)
        return peft_sys_mul(g, peft_sys_mul(g, peft_sys_add(g, x, peft_sys_select(g, w, 1)), peft_sys_select(g, w, 1)),
                        peft_sys_select(g, peft_sys_select(g, w, 1), 2));
    x = peft_sys_mul(g, peft_sys_linear(g, x, peft_sys_select(g, w, 0), NONE),
                     peft_sys_linear(g, x, peft_sys_select(g, w, 1), NONE));
    return peft_sys_mul(g, x, peft_sys_mul(g, peft_sys_linear(g, y, peft_sys_select(g, w, 1), NONE),
                                   peft_sys_linear(g, y, peft_sys_select(g, w, 2), NONE)));
}

typedef pf_val (*case_fn)(lab *l, int variant);
/* op: an operation that the compiled graph must contain. */
typedef struct op_case { const char *name; const pf_op *op; case_fn build; int variants; } op_case;
static const op_case op_cases[] = {
    { "linear", &pf_op_linear, case_linear, 6 },
    { "conv2d", &pf_op_conv2d, case_conv2d, 16 },
    { "layernorm", &pf_op_layernorm, case_layernorm, 4 }, { "gate", &pf_op_gate, case_gate, 12 },
    { "head_norm", &pf_op_head_norm, case_head_norm, 8 },
    { "rope", &pf_op_rope, case_rope, 17 }, { "rope_table", &pf_op_rope_table, case_rope_table, 4 },
    { "batchnorm", &pf_op_batchnorm, case_batchnorm, 32 },
    { "attention", &pf_op_attention, case_attention, 32 },
    { "shared keys", &pf_op_attention, case_shared_keys, 4 },
    { "self attention", &pf_op_attention, case_self_attention, 2 },
    { "attention_scores", &pf_op_attention_scores, case_attention_steps, 6 },
    { "softmax", &pf_op_softmax, case_attention_steps, 6 },
    { "attention_apply", &pf_op_attention_apply, case_attention_steps, 6 },
    { "row_range", &pf_op_row_range, case_row_range, 3 },
    { "scaled_logsumexp", &pf_op_scaled_logsumexp, case_scaled_logsumexp, 3 },
    { "act", &pf_op_act, case_act, 8 },
    { "add", &pf_op_add, case_add, 9 },
    { "mul", &pf_op_mul, case_mul, 9 },
    { "scale", &pf_op_scale, case_scale, 2 },
    { "affine", &pf_op_affine, case_affine, 4 },
    { "take", &pf_op_take, case_take, 16 },
    { "insert", &pf_op_insert, case_insert, 16 },
    { "repeat", &pf_op_repeat, case_repeat, 2 },
    { "mean_rows", &pf_op_mean_rows, case_mean_rows, 3 },
    { "logsumexp", &pf_op_logsumexp, case_logsumexp, 3 },
    { "logaddexp", &pf_op_logaddexp, case_logaddexp, 3 },
    { "dropout", &pf_op_dropout, case_dropout, 2 },
    { "swap", &pf_op_swap, case_swap, 2 },
    { "transpose", &pf_op_transpose, case_transpose, 2 },
    { "mul_rows", &pf_op_mul_rows, case_mul_rows, 6 },
    { "row_max", &pf_op_row_max, case_mul_rows, 7 },
    { "random_rows", &pf_op_random_rows, case_mul_rows, 8 },
    { "frame", &pf_op_frame, case_frame, 4 }, { "cayley", &pf_op_cayley, case_rotate, 8 },
    { "frequencies", &pf_op_frequencies, case_frequencies, 6 },
    { "row_scale", &pf_op_row_scale, case_row_scale, 2 }, { "rotate", &pf_op_rotate, case_rotate, 8 },
    { "half weights", &pf_op_widen, case_half, 2 },
    { "attention_mass", &pf_op_attention_mass, case_selection, 3 },
    { "sink_mass", &pf_op_sink_mass, case_sink_mass, 2 },
    { "attention_map", &pf_op_attention_map, case_attention_map, 6 },
    { "fuse_heads", &pf_op_fuse_heads, case_fuse_heads, 3 },
    { "top_rows", &pf_op_top_rows, case_selection, 3 },
    { "resize", &pf_op_resize, case_resize, 2 }, { "upsample", &pf_op_upsample, case_upsample, 5 },
    { "patches", &pf_op_patches, case_patches, 4 },
    { "loss", &pf_op_loss, case_loss, sizeof losses / sizeof *losses },
    { "entropy", &pf_op_entropy, case_entropy, 4 },
    { "mean", &pf_op_mean, case_mean, 4 },
    { "discrepancy", &pf_op_discrepancy, case_discrepancy, 4 },
    { "mixed_statistics", &pf_op_mixed_statistics, case_mixed_statistics, 4 },
    { "added losses", &pf_op_total, case_added, 2 },
    { "column views", &pf_op_concat_cols, case_columns, 6 },
    { "side by side", &pf_op_concat_cols, case_side_by_side, 2 },
    { "slices", &pf_op_store, case_slices, 9 },
    { "entries", &pf_op_store, case_entries, 2 },
};
enum { OP_CASES = sizeof op_cases / sizeof *op_cases };
#undef NONE

/* Opens a lab with the graph of a case, its inputs in the given form. trained: a bit for each leaf (lab.h). */
static inline void open_case(lab *l, peft_context *ctx, const op_case *c, int variant, lab_form form,
                             uint64_t trained)
{
    lab_open(l, ctx, 1, trained, form);
    pf_val y = c->build(l, variant);
    if (!pf_exists(l->loss_val)) lab_weighted_loss(l, y);
}
#endif
