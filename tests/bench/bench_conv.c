/* SPDX-License-Identifier: Apache-2.0
 * bench_conv.c -- speed of the convolutions of a dense head (3x3, those of SETR-PUP) and of their two gradients. */
#include "bench.h"
#include "core/graph/exec.h"

/* Maps of side x side pixels with `in` channels become maps with `out` channels. */
typedef struct { int64_t side, in, out; } convolution;

/* The operations of a graph: the nodes of the three products, which run one by one. */
enum { FORWARD, DX, DW, OPERATIONS };
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

/* A graph of the three products; memory [3]: the data of its leaves, which the caller frees. */
static void open_graph(const machine *m, const convolution *c, pf_exec *e, void *memory[3])
{
    pf_graph g;
    const pf_compile_spec spec = { .batch = m->s->batch, .training = true, .threads = pk_pool_threads(m->pool),
                                   .kernels = m->kernels, .pool = m->pool, .compute = m->s->compute };
    pf_graph_init(&g, m->ctx, &spec);
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

static double run_operation(const machine *m, pf_exec *e, uint32_t operation)
{
    const double start = now(m->s);
    pf_exec_run(e, operation, operation + 1);
    return now(m->s) - start;
}

static void measure(const machine *m, const convolution *c)
{
    pf_exec e;
    void *memory[3];
    open_graph(m, c, &e, memory);
    const pf_node *forward = &e.g.node[FORWARD];
    const double flops = (double)forward->op->flops(&e.g, forward);
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        samples times = { .n = 0 }, peaks = { .n = 0 };
        char name[64];
        double last = run_operation(m, &e, i);                            /* warm-up */
        for (int r = 0; r < m->s->rounds; r++) {
            add_sample(&peaks, pk_pool_peak(m->kernels, m->s->compute, m->pool, last));
            add_sample(&times, last = run_operation(m, &e, i));
        }
        snprintf(name, sizeof name, "conv%lld %lld>%lld %s", (long long)c->side, (long long)c->in, (long long)c->out,
                 operation_names[i]);
        printf("%-28s %9.1f %9.1f %9.3f\n", name, 1e3 * median(&times), 1e-9 * flops,
               flops / median(&times) / median(&peaks));
        write_row(m, name, "file", m->s->compute, median(&times), flops, median(&peaks), (double)pf_exec_bytes(&e));
    }
    pf_exec_free(&e);
    for (int i = 0; i < 3; i++) pf_free(m->ctx, memory[i]);
}

void bench_convolutions(const machine *m)
{
    static const convolution rows[] = { { 32, 768, 256 }, { 32, 256, 256 }, { 64, 256, 256 }, { 128, 256, 256 },
                                        { 256, 256, 256 } };
    const int threads = pk_pool_threads(m->pool);
    printf("\nconvolutions 3x3 in %s, %d map%s, %d thread%s\n%-28s %9s %9s %9s\n", pk_compute_name(m->s->compute),
           m->s->batch, m->s->batch > 1 ? "s" : "", threads, threads > 1 ? "s" : "", "side, channels", "ms", "GFLOP",
           "of peak");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) measure(m, &rows[i]);
}
