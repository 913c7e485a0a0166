/* SPDX-License-Identifier: Apache-2.0
 * bench_conv.c -- speed of the convolutions of a dense head (3x3, those of SETR-PUP) and of their two gradients, and of
 * the enlargement of maps between them. */
#include "bench.h"
#include "core/graph/exec.h"

/* Maps of side x side pixels with `in` channels become maps with `out` channels. */
typedef struct { int64_t side, in, out; } convolution;

/* The operations of a graph: its nodes, which run one by one; of convolutions three products, of upsample the first
 * two. */
enum { FORWARD, DX, DW };
enum { CONVOLUTION_OPERATIONS = 3, UPSAMPLE_OPERATIONS = 2 };
static const char *const operation_names[] = { [FORWARD] = "forward", [DX] = "dx", [DW] = "dw" };

/* A constant of this shape in memory of its own, which the caller frees. */
static pf_val constant(pf_graph *g, pf_shape shape, uint64_t seed)
{
    const pf_val v = pf_value_new(g, PF_CONST, shape);
    const int64_t count = pf_shape_count(&shape);
    float *p = pf_alloc(g->ctx, (size_t)count * sizeof *p);
    if (!p || g->status) must(PEFT_E_NOMEM);
    for (int64_t i = 0; i < count; i++) p[i] = (float)((((uint64_t)i * 2654435761u + seed) >> 8) & 1023) / 1024 - 0.5f;
    pf_v(g, v)->data = p;
    return v;
}

static pf_graph new_graph(const machine *m)
{
    pf_graph g;
    const pf_compile_spec spec = { .batch = m->s->batch, .training = true, .threads = pk_pool_threads(m->pool),
                                   .kernels = m->kernels, .pool = m->pool, .compute = m->s->compute };
    pf_graph_init(&g, m->ctx, &spec);
    return g;
}

/* A graph of the three products; memory [3]: the data of its leaves, which the caller frees. */
static void open_convolution(const machine *m, const convolution *c, pf_exec *e, void *memory[3])
{
    pf_graph g = new_graph(m);
    const int64_t pixels = c->side * c->side;
    const pf_val x = constant(&g, pf_shape_of(3, (int64_t)m->s->batch, pixels, c->in), 1);
    const pf_val w = constant(&g, pf_shape_of(4, c->out, c->in, (int64_t)3, (int64_t)3), 2);
    const pf_val dy = constant(&g, pf_shape_of(3, (int64_t)m->s->batch, pixels, c->out), 3);
    pf_attr a = { .i = { c->side, c->side } };
    pf_v(&g, pf_conv2d(&g, x, c->side, c->side, w, PF_NONE))->keep = true;
    a.shape = pf_v(&g, x)->shape;
    pf_v(&g, pf_emit(&g, &pf_op_conv2d_dx, &a, 2, (pf_val[]){ dy, w }))->keep = true;
    a.shape = pf_v(&g, w)->shape;
    pf_v(&g, pf_emit(&g, &pf_op_conv2d_dw, &a, 2, (pf_val[]){ dy, x }))->keep = true;
    must(g.status);
    memory[0] = pf_v(&g, x)->data, memory[1] = pf_v(&g, w)->data, memory[2] = pf_v(&g, dy)->data;
    must(pf_exec_create(e, &g));
    must(pf_exec_bind(e, NULL));
}

/* A graph of the enlargement of maps by two and of its gradient; memory [2]: as above. */
static void open_upsample(const machine *m, int64_t side, int64_t channels, pf_exec *e, void *memory[2])
{
    pf_graph g = new_graph(m);
    const int64_t pixels = side * side;
    const pf_val x = constant(&g, pf_shape_of(3, (int64_t)m->s->batch, pixels, channels), 1);
    const pf_val dy = constant(&g, pf_shape_of(3, (int64_t)m->s->batch, 4 * pixels, channels), 2);
    const pf_attr a = { .i = { side, side, 2 * side, 2 * side } };
    pf_v(&g, pf_upsample(&g, x, side, side, 2 * side, 2 * side))->keep = true;
    pf_v(&g, pf_emit(&g, &pf_op_upsample_grad, &a, 1, (pf_val[]){ dy }))->keep = true;
    must(g.status);
    memory[0] = pf_v(&g, x)->data, memory[1] = pf_v(&g, dy)->data;
    must(pf_exec_create(e, &g));
    must(pf_exec_bind(e, NULL));
}

static double run_operation(const machine *m, pf_exec *e, uint32_t operation)
{
    const double start = now(m->s);
    pf_exec_run(e, operation, operation + 1);
    return now(m->s) - start;
}

/* Measures the first `count` operations. bytes: that each reads and writes, for GB/s; 0: the share of the peak is
 * printed. */
static void measure(const machine *m, pf_exec *e, const char *title, uint32_t count, double bytes)
{
    const pf_node *forward = &e->g.node[FORWARD];
    const double flops = (double)forward->op->flops(&e->g, forward);
    for (uint32_t i = 0; i < count; i++) {
        samples times = { .n = 0 }, peaks = { .n = 0 };
        char name[64];
        double last = run_operation(m, e, i);                             /* warm-up */
        for (int r = 0; r < m->s->rounds; r++) {
            add_sample(&peaks, pk_pool_peak(m->kernels, m->s->compute, m->pool, last));
            add_sample(&times, last = run_operation(m, e, i));
        }
        snprintf(name, sizeof name, "%s %s", title, operation_names[i]);
        printf("%-28s %9.1f %9.1f %9.3f\n", name, 1e3 * median(&times), 1e-9 * flops,
               bytes > 0 ? 1e-9 * bytes / median(&times) : flops / median(&times) / median(&peaks));
        write_row(m, name, "file", median(&times), flops, median(&peaks), (double)pf_exec_bytes(e));
    }
    pf_exec_free(e);
}

static void measure_convolution(const machine *m, const convolution *c)
{
    pf_exec e;
    void *memory[3];
    char title[48];
    open_convolution(m, c, &e, memory);
    snprintf(title, sizeof title, "conv%lld %lld>%lld", (long long)c->side, (long long)c->in, (long long)c->out);
    measure(m, &e, title, CONVOLUTION_OPERATIONS, 0);
    for (int i = 0; i < 3; i++) pf_free(m->ctx, memory[i]);
}

static void measure_upsample(const machine *m, int64_t side, int64_t channels)
{
    pf_exec e;
    void *memory[2];
    char title[48];
    open_upsample(m, side, channels, &e, memory);
    snprintf(title, sizeof title, "upsample%lld>%lld %lld", (long long)side, (long long)(2 * side),
             (long long)channels);
    measure(m, &e, title, UPSAMPLE_OPERATIONS, (double)(m->s->batch * 5 * side * side * channels) * sizeof(float));
    for (int i = 0; i < 2; i++) pf_free(m->ctx, memory[i]);
}

void bench_convolutions(const machine *m)
{
    static const convolution rows[] = { { 32, 768, 256 }, { 32, 256, 256 }, { 64, 256, 256 }, { 128, 256, 256 },
                                        { 256, 256, 256 } };
    const int threads = pk_pool_threads(m->pool);
    printf("\nconvolutions 3x3 in %s, %d map%s, %d thread%s\n%-28s %9s %9s %9s\n", m->s->arithmetic,
           m->s->batch, m->s->batch > 1 ? "s" : "", threads, threads > 1 ? "s" : "", "side, channels", "ms", "GFLOP",
           "of peak");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) measure_convolution(m, &rows[i]);
    printf("\nenlargement by two\n%-28s %9s %9s %9s\n", "sides, channels", "ms", "GFLOP", "GB/s");
    for (int64_t side = 32; side <= 128; side *= 2) measure_upsample(m, side, 256);
}
