/* SPDX-License-Identifier: Apache-2.0
 * test_attention.c -- the attention kernels and their gradients of every arithmetic and every instruction set that this
 * CPU has, against reference attention in double precision; operands of the gradient in bf16 against floats. */
#include "suite.h"
#include "attention_problem.h"
#include "kernels/ref/half.h"

static const shape shapes[] = {
    /* samples heads n queries keys extra  sink boost own_extra max_logit */
    { 1, 1,  1,   1,   1, 0,   0, 0, 0,   1 },
    { 1, 1,  8,   7,   7, 0,   0, 0, 0,   3 },
    { 2, 3,  8,   7,   7, 4,   1, 0, 0,   3 },
    { 2, 2, 16,   1, 197, 0,   1, 0, 0,   3 },
    { 2, 2, 64,   1, 197, 5,   0, 1, 1,   3 },
    { 1, 2, 64,  69,  99, 3,   1, 1, 1,   4 },
    { 1, 1, 64, 197, 197, 0,   1, 1, 0,   4 },
    { 1, 1, 80,  50,  50, 1,   0, 0, 0,   2 },
    { 1, 2,  5,  33,  29, 2,   1, 1, 0,   3 },
    { 1, 1, 33,  16,  14, 5,   1, 0, 1,   3 },
    { 1, 2, 17,  48,  15, 0,   0, 1, 0,   3 },
    { 2, 1,  3,   2,  31, 1,   1, 0, 1,   8 },
    { 1, 1, 31,  65,   6, 14,  0, 0, 0,   3 },
    { 1, 1, 96,  17, 100, 2,   1, 1, 0,  30 },
    { 1, 1, 32,  34, 577, 0,   0, 0, 0,   5 },              /* from here on: columns in several chunks */
    { 1, 2,  4,  35, 400, 390, 1, 1, 0,   6 },
    { 1, 1, 12,  33, 385, 4,   1, 0, 1,   6 },
    { 1, 1, 24,   1, 1025, 0,  1, 0, 0,   3 },
    { 1, 1,  8,  20, 380, 2,   1, 1, 0, 1e4f },
    { 1, 2, 64,  34,  60, 2,   1, 0, 0, 1e4f },
    { 1, 2,  8,  20,  30, 2,   0, 1, 0, 1e4f },
};
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define BF16_EPS 0x1p-8                     /* a factor that is rounded to bf16 is off by at most half of this part */
#define UNWRITTEN 12345.0f                  /* fills outputs, to see which elements a call wrote */

/* The largest |x - want| of a matrix [rows, n], divided by max(1, largest |want|). Rows of x are x_row elements
 * apart. */
static double error_of(const float *x, int64_t x_row, const double *want, int64_t rows, int64_t n)
{
    double worst = 0, scale = 1;
    for (int64_t i = 0; i < rows * n; i++) scale = fmax(scale, fabs(want[i]));
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t c = 0; c < n; c++) {
            const double e = fabs(x[i * x_row + c] - want[i * n + c]);
            if (!(e <= worst)) worst = e;                   /* true for NaN too */
        }
    }
    return worst / scale;
}

static void check_error(const char *isa, const char *output, const shape *s, double error, double limit)
{
    ck_assert_msg(error <= limit, "%s %s: error %.3g, limit %.3g (head size %d, queries %d, keys %d, extra %d, largest "
                  "logit %g)", isa, output, error, limit, (int)s->n, (int)s->queries, (int)s->keys, (int)s->extra,
                  (double)s->max_logit);
}

/* All outputs of p for (b, h) against the reference. The limit grows with |logit|, as the rounding error of a
 * probability is about eps * |logit|; in bf16 a limit above 1 says only that nothing is infinite or NaN. */
static void compare(const char *isa, const problem *p, int64_t b, int64_t h)
{
    const shape *s = &p->s;
    const int64_t out_row = s->heads * s->n + SPARE, first_query = (b * s->heads + h) * s->queries;
    const int f32 = p->a.compute == PK_COMPUTE_F32;
    const double limit = f32 ? 1.2e-7 * (20 + 4 * (double)s->max_logit) : BF16_EPS * (1 + (double)s->max_logit);
    naive x = problem_naive(p, b, h);
    const struct { const char *name; const guarded *m; const double *want; int64_t rows; } outputs[] = {
        { "out", &p->out, x.out, s->queries }, { "dq", &p->dq, x.dq, s->queries },
        { "dk", &p->dk, x.dk, s->keys }, { "dv", &p->dv, x.dv, s->keys },
        { "dxk", &p->dxk, x.dk + s->keys * s->n, s->extra },
        { "dxv", &p->dxv, x.dv + s->keys * s->n, s->extra },
    };
    for (size_t i = 0; i < COUNT(outputs); i++)
        check_error(isa, outputs[i].name, s,
                    error_of(outputs[i].m->data + b * outputs[i].rows * out_row + h * s->n, out_row, outputs[i].want,
                             outputs[i].rows, s->n), limit);
    check_error(isa, "lse", s, error_of(p->lse.data + first_query, 1, x.lse, s->queries, 1),
                f32 ? 2e-6 : limit);
    if (s->sink) check_error(isa, "dsink", s, error_of(p->dsink.data + first_query, 1, x.dsink, s->queries, 1), limit);
    check_error(isa, "dboost", s, error_of(p->dboost.data + first_query, 1, x.dboost, s->queries, 1),
                limit * fmax(1, s->max_logit / 4));
    naive_free(&x);
}

/* The loss is the dot product of out and dout. */
START_TEST(reference_gradient_equals_finite_differences)
{
    for (int sink = 0; sink < 2; sink++) {
        uint64_t state = 5;
        naive x;
        naive_make(&x, 3, 4, 2, sink);
        x.scale = 0.7;
        x.boost = 1.3;
        double *const in[] = { x.q, x.k, x.v, x.sink, &x.boost };
        double *const grad[] = { x.dq, x.dk, x.dv, x.dsink, x.dboost };
        const int64_t count[] = { 6, 8, 8, sink ? 3 : 0, 1 };
        for (int j = 0; j < 4; j++) for (int64_t i = 0; i < count[j]; i++) in[j][i] = noise(&state) * 2;
        for (int i = 0; i < 6; i++) x.dout[i] = noise(&state);
        naive_forward(&x);
        naive_backward(&x);
        x.dboost[0] += x.dboost[1] + x.dboost[2];           /* all queries of the head have the same boost */
        for (int j = 0; j < 5; j++) {
            for (int64_t i = 0; i < count[j]; i++) {
                const double saved = in[j][i];
                double loss[2];
                for (int side = 0; side < 2; side++) {
                    in[j][i] = saved + (side ? 1e-5 : -1e-5);
                    naive_forward(&x);
                    loss[side] = naive_dot(x.out, x.dout, 6);
                }
                in[j][i] = saved;
                ck_assert_double_eq_tol((loss[1] - loss[0]) / 2e-5, grad[j][i], 1e-8);
            }
        }
        naive_free(&x);
    }
}
END_TEST

START_TEST(kernels_equal_the_reference)
{
    EACH_KERNEL(isa) {
        for (size_t i = 0; i < COUNT(shapes); i++) {
            problem p = problem_make(shapes[i]);
            run_forward(pk_find(*isa), &p);
            run_backward(pk_find(*isa), &p, ALL);
            for (int64_t b = 0; b < p.s.samples; b++) for (int64_t h = 0; h < p.s.heads; h++) compare(*isa, &p, b, h);
            problem_free(&p);
        }
    }
}
END_TEST

/* The number of elements that equal x within `tolerance`. (One assertion for all elements, as Check writes to a file at
 * each.) */
static int64_t count_of(const guarded *m, float x, float tolerance)
{
    int64_t n = 0;
    for (int64_t i = 0; i < m->count; i++) n += m->data[i] == x || fabsf(m->data[i] - x) < tolerance;
    return n;
}

/* Checks that a call for (sample b, head h) wrote all columns of the head and no others. */
static void check_written_columns(const char *isa, const problem *p, const guarded *m, int64_t rows, int64_t b,
                                  int64_t h)
{
    const int64_t out_row = p->s.heads * p->s.n + SPARE;
    int64_t wrong = 0;
    for (int64_t i = 0; i < m->count; i++) {
        const int64_t c = i % out_row, sample = i / out_row / rows;
        const int own_column = sample == b && c >= h * p->s.n && c < (h + 1) * p->s.n;
        wrong += (m->data[i] == UNWRITTEN) == own_column;
    }
    ck_assert_msg(wrong == 0, "%s: %d elements are not written or written by mistake", isa, (int)wrong);
}

START_TEST(a_call_writes_the_columns_of_its_head_only)
{
    EACH_KERNEL(isa) {
        for (size_t i = 0; i < COUNT(shapes); i++) {
            problem p = problem_make(shapes[i]);
            const shape s = p.s;
            const pk_attention_grad g = problem_grad(&p, ALL);
            /* six matrices with the columns of all heads, then three arrays with one number for each query */
            const guarded *const m[] = { &p.out, &p.dq, &p.dk, &p.dv, &p.dxk, &p.dxv, &p.lse, &p.dsink, &p.dboost };
            const int64_t rows[] = { s.queries, s.queries, s.keys, s.keys, s.extra, s.extra };
            const int64_t b = s.samples - 1, h = s.heads / 2, first_query = (b * s.heads + h) * s.queries;
            for (size_t j = 0; j < COUNT(m); j++) guarded_fill(m[j], UNWRITTEN);
            guarded w = scratch_make(pk_find(*isa), &p.a, PK_FORWARD);
            guarded w2 = scratch_make(pk_find(*isa), &p.a, PK_GRADIENT);
            pk_find(*isa)->product[p.a.compute].attention(&p.a, b, h, w.data);
            pk_find(*isa)->product[p.a.compute].attention_grad(&g, b, h, w2.data);
            for (size_t j = 0; j < 6; j++) check_written_columns(*isa, &p, m[j], rows[j], b, h);
            for (size_t j = 6; j < COUNT(m); j++) {
                const int64_t from = first_query,
                    to = m[j] == &p.dsink && !s.sink ? first_query : first_query + s.queries;
                ck_assert_int_eq(to - from, m[j]->count - count_of(m[j], UNWRITTEN, 0));
                for (int64_t e = from; e < to; e++) ck_assert(m[j]->data[e] != UNWRITTEN);
            }
            guarded_free(&w);
            guarded_free(&w2);
            problem_free(&p);
        }
    }
}
END_TEST

START_TEST(omitted_gradients_do_not_change_the_others)
{
    const shape s[] = { { 1, 2, 20, 35, 30, 5, 1, 1, 0, 3 }, { 1, 1, 64, 9, 15, 0, 1, 0, 0, 3 },
                        { 1, 1, 4, 18, 200, 390, 1, 1, 0, 3 } };                    /* columns as in `shapes` */
    EACH_KERNEL(isa) {
        for (size_t i = 0; i < COUNT(s); i++) {
            problem all = problem_make(s[i]), some = problem_make(s[i]);
            const guarded *const all_out[] = { &all.dq, &all.dk, &all.dv, &all.dxk, &all.dxv, &all.dsink, &all.dboost };
            const guarded *const some_out[] = { &some.dq, &some.dk, &some.dv, &some.dxk, &some.dxv, &some.dsink,
                                         &some.dboost };
            run_forward(pk_find(*isa), &all);
            run_forward(pk_find(*isa), &some);
            for (size_t j = 0; j < COUNT(all_out); j++) guarded_fill(all_out[j], UNWRITTEN);
            run_backward(pk_find(*isa), &all, ALL);
            for (int want = 0; want < ALL; want++) {
                const int rest = ALL & ~want;
                /* of long problems only one gradient, or all but one: x & (x - 1) is 0 if x has at most one bit */
                if (s[i].keys > 100 && (want & (want - 1)) && (rest & (rest - 1))) continue;
                for (size_t j = 0; j < COUNT(some_out); j++) guarded_fill(some_out[j], UNWRITTEN);
                run_backward(pk_find(*isa), &some, want);
                for (size_t j = 0; j < COUNT(some_out); j++) {
                    const size_t bytes = (size_t)some_out[j]->count * sizeof(float);
                    if (want >> j & 1) ck_assert_mem_eq(all_out[j]->data, some_out[j]->data, bytes);
                    else ck_assert_int_eq(count_of(some_out[j], UNWRITTEN, 0), some_out[j]->count);
                }
            }
            problem_free(&all);
            problem_free(&some);
        }
    }
}
END_TEST

/* Queries first .. first + queries of sample b as a problem of their own give the same bits of out, lse, dq, dsink and
 * dboost. */
static void check_subset_of_queries(const pk_table *t, const problem *p, int64_t first, int64_t queries, int64_t b)
{
    const shape s = p->s;
    const int64_t width = s.heads * s.n, out_row = width + SPARE;
    shape subset = s;
    subset.samples = 1, subset.queries = queries;
    problem x = problem_make(subset);
    x.a.q.data = (const float *)p->a.q.data + b * p->a.q.sample_stride + first * width;
    x.a.k.data = (const float *)p->a.k.data + b * p->a.k.sample_stride;
    x.a.v.data = (const float *)p->a.v.data + b * p->a.v.sample_stride;
    x.a.xk.data = (const float *)p->a.xk.data + b * p->a.xk.sample_stride;
    x.a.xv.data = (const float *)p->a.xv.data + b * p->a.xv.sample_stride;
    x.a.sink = p->a.sink + first;
    x.a.head_scale = p->a.head_scale;
    memcpy(x.dout.data, p->dout.data + (b * s.queries + first) * width, (size_t)(queries * width) * sizeof(float));
    run_forward(t, &x);
    run_backward(t, &x, ALL);
    for (int64_t i = 0; i < queries; i++) {
        const int64_t from = ((b * s.queries) + first + i) * out_row;
        ck_assert_mem_eq(x.out.data + i * out_row, p->out.data + from, (size_t)width * sizeof(float));
        ck_assert_mem_eq(x.dq.data + i * out_row, p->dq.data + from, (size_t)width * sizeof(float));
    }
    const guarded *const one[] = { &x.lse, &x.dsink, &x.dboost }, *const all[] = { &p->lse, &p->dsink, &p->dboost };
    for (size_t j = 0; j < COUNT(one); j++)
        for (int64_t h = 0; h < s.heads; h++)
            ck_assert_mem_eq(one[j]->data + h * queries, all[j]->data + (b * s.heads + h) * s.queries + first,
                             (size_t)queries * sizeof(float));
    problem_free(&x);
}

START_TEST(a_query_does_not_depend_on_other_queries)
{
    EACH_KERNEL(isa) {
        const shape s[] = { { 2, 2, 24, 75, 41, 3, 1, 1, 1, 4 }, { 2, 1, 5, 75, 400, 3, 1, 1, 1, 4 } };
        static const struct { int64_t first, queries; } subset[] = {
            { 0, 1 }, { 0, 75 }, { 3, 8 }, { 10, 17 }, { 31, 33 }, { 74, 1 }, { 5, 70 } };
        for (size_t j = 0; j < COUNT(s); j++) {
            problem p = problem_make(s[j]);
            run_forward(pk_find(*isa), &p);
            run_backward(pk_find(*isa), &p, ALL);
            for (size_t i = 0; i < COUNT(subset); i++)
                for (int64_t b = 0; b < 2; b++)
                    check_subset_of_queries(pk_find(*isa), &p, subset[i].first, subset[i].queries, b);
            problem_free(&p);
        }
    }
}
END_TEST

/* A very low sink gives the bits of attention without a sink (`none`); a very high one takes all probability. */
static void check_extreme_sink(const pk_table *t, const problem *none, float sink)
{
    shape s = none->s;
    s.sink = 1;
    problem p = problem_make(s);
    const guarded *const x[] = { &p.out, &p.dq, &p.dk, &p.dv, &p.dxk, &p.dxv };
    const guarded *const y[] = { &none->out, &none->dq, &none->dk, &none->dv, &none->dxk, &none->dxv };
    guarded_fill(&p.sink, sink);
    run_forward(t, &p);
    run_backward(t, &p, ALL);
    ck_assert_int_eq(count_of(&p.dsink, 0, 1e-30f), p.dsink.count);
    if (sink > 1e20f) ck_assert_int_eq(count_of(&p.lse, sink, 0), p.lse.count);
    for (size_t j = 0; j < COUNT(x); j++) {
        if (sink < 0) ck_assert_mem_eq(x[j]->data, y[j]->data, (size_t)x[j]->count * sizeof(float));
        else ck_assert_int_eq(count_of(x[j], 0, 1e-30f), x[j]->count);
    }
    problem_free(&p);
}

START_TEST(extreme_sinks_take_no_probability_or_all)
{
    const float sinks[] = { -INFINITY, -1e30f, 100.0f, 1e30f, INFINITY };
    const shape s[] = { { 1, 1, 16, 19, 23, 2, 0, 0, 0, 3 }, { 1, 1, 3, 19, 390, 2, 0, 0, 0, 3 } };
    EACH_KERNEL(isa) {
        for (size_t j = 0; j < COUNT(s); j++) {
            problem none = problem_make(s[j]);
            run_forward(pk_find(*isa), &none);
            run_backward(pk_find(*isa), &none, ALL);
            for (size_t i = 0; i < COUNT(sinks); i++) check_extreme_sink(pk_find(*isa), &none, sinks[i]);
            problem_free(&none);
        }
    }
}
END_TEST

START_TEST(nan_stays_in_its_row)
{
    EACH_KERNEL(isa) {
        problem p = problem_make((shape){ .samples = 1, .heads = 1, .n = 8, .queries = 3, .keys = 9, .max_logit = 3 });
        p.q.data[8] = NAN;                                  /* row 1 */
        run_forward(pk_find(*isa), &p);
        for (int64_t c = 0; c < 8; c++) {
            ck_assert(isnan(p.out.data[8 + SPARE + c]));
            ck_assert(!isnan(p.out.data[c]) && !isnan(p.out.data[2 * (8 + SPARE) + c]));
        }
        problem_free(&p);
    }
}
END_TEST

/* Rounds the numbers of x to bf16, and makes the operand o, which reads x, read a copy of 16 bits each that ends at a
 * guard page; the caller frees the copy. */
static guarded make_half(const guarded *x, const void **data, pk_dtype *type)
{
    guarded memory = guarded_make((x->count + 1) / 2);
    uint16_t *half = (uint16_t *)(void *)(memory.data + memory.count) - x->count;
    for (int64_t i = 0; i < x->count; i++) {
        half[i] = pk_to_bf16(x->data[i]);
        x->data[i] = pk_from_bf16(half[i]);
    }
    if (x->count) *data = half, *type = PK_BF16;
    return memory;
}

/* Operands in bf16 (set: one bit for each of q, k, v, xk, xv and out) give the bits of float operands with the same
 * numbers. */
static void check_half_operands(const char *isa, const shape *s, int set)
{
    problem p = problem_make(*s);
    const guarded *const from[] = { &p.q, &p.k, &p.v, &p.xk, &p.xv, &p.out };
    guarded *const gradients[] = { &p.dq, &p.dk, &p.dv, &p.dxk, &p.dxv, &p.dsink, &p.dboost }, want[COUNT(gradients)];
    guarded half[6] = { 0 };
    const void *data[6], *out = p.a.out;
    pk_operand *const operands[] = { &p.a.q, &p.a.k, &p.a.v, &p.a.xk, &p.a.xv };
    pk_dtype type[6] = { PK_REAL };
    run_forward(pk_find(isa), &p);
    for (int i = 0; i < 6; i++) {
        data[i] = i < 5 ? operands[i]->data : out;
        if (set >> i & 1) half[i] = make_half(from[i], &data[i], &type[i]);
    }
    for (size_t i = 0; i < COUNT(gradients); i++) guarded_fill(gradients[i], UNWRITTEN);
    run_backward(pk_find(isa), &p, ALL);
    for (size_t i = 0; i < COUNT(gradients); i++) {
        want[i] = *gradients[i];
        *gradients[i] = guarded_make(want[i].count);
        guarded_fill(gradients[i], UNWRITTEN);
    }
    for (int i = 0; i < 5; i++) operands[i]->data = data[i], operands[i]->type = type[i];
    p.a.out = (void *)(uintptr_t)data[5];
    p.a.out_type = type[5];
    run_backward(pk_find(isa), &p, ALL);
    for (size_t i = 0; i < COUNT(gradients); i++) {
        ck_assert_msg(!memcmp(gradients[i]->data, want[i].data, (size_t)want[i].count * sizeof(float)),
                      "%s, %s: gradient %d of operands %x in bf16 has other bits (queries %d, keys %d, extra %d)", isa,
                      pk_compute_name(arithmetic), (int)i, (unsigned)set, (int)s->queries, (int)s->keys, (int)s->extra);
        guarded_free(&want[i]);
    }
    for (int i = 0; i < 6; i++) if (set >> i & 1) guarded_free(&half[i]);
    problem_free(&p);
}

START_TEST(operands_in_bf16_give_the_bits_of_floats)
{
    EACH_KERNEL(isa) for (size_t i = 0; i < COUNT(shapes); i++) {
        check_half_operands(*isa, &shapes[i], 0x3f);
        check_half_operands(*isa, &shapes[i], 1 << i % 6);
    }
}
END_TEST

SUITE_MAIN("attention", reference_gradient_equals_finite_differences, kernels_equal_the_reference,
           operands_in_bf16_give_the_bits_of_floats,
           a_call_writes_the_columns_of_its_head_only, omitted_gradients_do_not_change_the_others,
           a_query_does_not_depend_on_other_queries, extreme_sinks_take_no_probability_or_all, nan_stays_in_its_row)
