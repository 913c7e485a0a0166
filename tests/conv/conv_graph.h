/* SPDX-License-Identifier: Apache-2.0
 * conv_graph.h -- runs conv2d and its two gradients on arrays, and computes the same by plain loops in double. */
#ifndef CONV_GRAPH_H
#define CONV_GRAPH_H
#include <math.h>
#include "core/graph/exec.h"
#include "core/graph/report/report.h"
#include "kernels/pk.h"
#include "suite.h"

typedef struct { int64_t maps, height, width, in, out, kh, kw; } conv_extents;

/* The results: y, dx and dw. magnitude: of the reference, the sums of the magnitudes of what each element adds up. */
enum { CONV_Y, CONV_DX, CONV_DW, CONV_RESULTS };
static const char *const conv_names[CONV_RESULTS] = { "y", "dx", "dw" };
typedef struct { double *result[CONV_RESULTS], *magnitude[CONV_RESULTS]; } conv_arrays;

/* Elements of a result. */
static inline int64_t conv_count(const conv_extents *e, int result)
{
    const int64_t pixels = e->maps * e->height * e->width;
    return result == CONV_DW ? e->out * e->in * e->kh * e->kw : pixels * (result == CONV_Y ? e->out : e->in);
}

static inline void conv_free(conv_arrays *a)
{
    for (int k = 0; k < CONV_RESULTS; k++) free(a->result[k]), free(a->magnitude[k]);
}

/* What differs between runs. isa NULL: the best; threads 0: 1. first_map: the maps are those from this one on of a
 * larger batch. x, w, bias, dy: the numbers; NULL: those of conv_number. */
typedef struct {
    const char *isa;
    pk_compute compute;
    int threads;
    unsigned flags;                      /* pf_compile_spec.flags */
    int64_t first_map;
    const float *x, *w, *bias, *dy;
    void (*describe)(const char *line, void *user); void *user;     /* for the table of operations; NULL: not called */
} conv_settings;

/* Number i of array `array`, in -1 .. 1. */
static inline float conv_number(int array, int64_t i)
{
    const uint64_t mixed = ((uint64_t)i + 1) * 0x9E3779B97F4A7C15u + (uint64_t)array * 0xD1B54A32D192ED03u;
    return (float)((mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9u >> 40) / 0x1p23f - 1;
}
enum { CONV_X, CONV_W, CONV_BIAS, CONV_DOUT, CONV_ARRAYS };      /* the arrays */

/* A constant of the graph with the numbers `given`, or conv_number from `first` on; the caller frees its data. */
static inline pf_val conv_constant(pf_graph *g, pf_shape shape, int array, int64_t first, const float *given)
{
    const pf_val v = pf_value_new(g, PF_CONST, shape);
    const int64_t count = pf_shape_count(&shape);
    pk_real *data = malloc((size_t)count * sizeof *data);
    for (int64_t i = 0; i < count; i++) data[i] = given ? given[i] : conv_number(array, first + i);
    pf_v(g, v)->data = data;
    return v;
}

static inline conv_arrays conv_run(const conv_extents *e, const conv_settings *s)
{
    const int threads = s->threads ? s->threads : 1;
    const int64_t pixels = e->height * e->width;
    peft_context *ctx;
    pf_graph g;
    pf_exec exec;
    conv_arrays a = { .magnitude = { NULL } };
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    pk_pool *pool = aligned_alloc(PK_ALIGN, (pk_pool_bytes(threads) + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
    ck_assert_int_eq(pk_pool_start(pool, threads), threads);
    const pf_compile_spec spec = { .batch = e->maps, .training = true, .threads = threads, .pool = pool,
                                   .kernels = pk_find(s->isa), .gemm = PK_GEMM_OWN, .compute = s->compute,
                                   .flags = s->flags };
    pf_graph_init(&g, ctx, &spec);
    const pf_val leaf[CONV_ARRAYS] = {
        [CONV_X] = conv_constant(&g, pf_shape_of(3, e->maps, pixels, e->in), CONV_X, s->first_map * pixels * e->in,
                                 s->x),
        [CONV_W] = conv_constant(&g, pf_shape_of(4, e->out, e->in, e->kh, e->kw), CONV_W, 0, s->w),
        [CONV_BIAS] = conv_constant(&g, pf_shape_of(1, e->out), CONV_BIAS, 0, s->bias),
        [CONV_DOUT] = conv_constant(&g, pf_shape_of(3, e->maps, pixels, e->out), CONV_DOUT,
                                    s->first_map * pixels * e->out, s->dy) };
    pf_val result[CONV_RESULTS];
    pf_attr at = { .i = { e->height, e->width } };
    result[CONV_Y] = pf_conv2d(&g, leaf[CONV_X], e->height, e->width, leaf[CONV_W], leaf[CONV_BIAS]);
    at.shape = pf_v(&g, leaf[CONV_X])->shape;
    result[CONV_DX] = pf_emit(&g, &pf_op_conv2d_dx, &at, 2, (pf_val[]){ leaf[CONV_DOUT], leaf[CONV_W] });
    at.shape = pf_v(&g, leaf[CONV_W])->shape;
    result[CONV_DW] = pf_emit(&g, &pf_op_conv2d_dw, &at, 2, (pf_val[]){ leaf[CONV_DOUT], leaf[CONV_X] });
    ck_assert_msg(!g.status, "%s", peft_last_error());
    void *data[CONV_ARRAYS];
    for (int i = 0; i < CONV_ARRAYS; i++) data[i] = pf_v(&g, leaf[i])->data;
    for (int k = 0; k < CONV_RESULTS; k++) pf_v(&g, result[k])->keep = true;
    ck_assert_msg(!pf_exec_create(&exec, &g), "%s", peft_last_error());
    const size_t bytes = pf_exec_bytes(&exec);
    void *memory = aligned_alloc(PK_ALIGN, (bytes + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
    memset(memory, 0xff, bytes);                                    /* NaN: what is not written, is found */
    ck_assert_int_eq(pf_exec_bind(&exec, memory), PEFT_OK);
    if (s->describe) pf_exec_describe(&exec, s->describe, s->user);
    pf_exec_run(&exec, 0, exec.g.nodes);
    for (int k = 0; k < CONV_RESULTS; k++) {
        a.result[k] = malloc((size_t)conv_count(e, k) * sizeof(double));
        for (int64_t i = 0; i < conv_count(e, k); i++) a.result[k][i] = pf_exec_data(&exec, result[k])[i];
    }
    pf_exec_free(&exec);
    free(memory);
    for (int i = 0; i < CONV_ARRAYS; i++) free(data[i]);
    pk_pool_stop(pool);
    free(pool);
    peft_context_free(ctx);
    return a;
}

/* Adds x to element i of a result. */
static inline void conv_add(conv_arrays *a, int result, int64_t i, double x)
{
    a->result[result][i] += x;
    a->magnitude[result][i] += fabs(x);
}

static inline conv_arrays conv_reference(const conv_extents *e)
{
    conv_arrays a;
    for (int k = 0; k < CONV_RESULTS; k++) {
        a.result[k] = calloc((size_t)conv_count(e, k), sizeof(double));
        a.magnitude[k] = calloc((size_t)conv_count(e, k), sizeof(double));
    }
    for (int64_t i = 0; i < conv_count(e, CONV_Y); i++) {
        const int64_t pixel = i / e->out, o = i % e->out, y = pixel / e->width % e->height, x = pixel % e->width;
        const double d = conv_number(CONV_DOUT, i);
        conv_add(&a, CONV_Y, i, conv_number(CONV_BIAS, o));
        for (int64_t v = 0; v < e->kh; v++)
            for (int64_t u = 0; u < e->kw; u++) {
                const int64_t from_y = y + v - e->kh / 2, from_x = x + u - e->kw / 2;
                if (from_y < 0 || from_y >= e->height || from_x < 0 || from_x >= e->width) continue;
                const int64_t map = pixel / (e->height * e->width);
                for (int64_t c = 0; c < e->in; c++) {
                    const int64_t at = ((map * e->height + from_y) * e->width + from_x) * e->in + c;
                    const int64_t weight = ((o * e->in + c) * e->kh + v) * e->kw + u;
                    const double value = conv_number(CONV_X, at), w = conv_number(CONV_W, weight);
                    conv_add(&a, CONV_Y, i, value * w);
                    conv_add(&a, CONV_DX, at, d * w);
                    conv_add(&a, CONV_DW, weight, d * value);
                }
            }
    }
    return a;
}
#endif
