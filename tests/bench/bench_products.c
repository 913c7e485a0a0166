/* SPDX-License-Identifier: Apache-2.0
 * bench_products.c -- speed of the matrix products of a network, by the library's own product and, in f32, by CBLAS. */
#include "bench.h"

/* A product [m, k] times [k, n]. dx: the product of the backward pass for the gradient of the input X, which reads the
 * weights in the other order. */
typedef struct { const char *name; int64_t n, k; bool dx; } product;

/* Seconds of one product. */
static double run_product(const machine *m, pk_gemm_kind kind, const product *p, int64_t rows, float *memory,
                          void *work)
{
    float *a = memory, *b = a + rows * p->k, *c = b + p->n * p->k;
    const pk_gemm g = { .m = rows, .n = p->n, .k = p->k, .compute = m->s->compute, .a = a, .a_row = p->k, .a_col = 1,
                        .b = b, .b_row = p->dx ? p->n : 1, .b_col = p->dx ? 1 : p->k, .c = c, .c_row = p->n,
                        .scale = 1 };
    const double start = now(m->s);
    pk_gemm_run(m->kernels, m->pool, kind, &g, work);
    return now(m->s) - start;
}

/* Median seconds of a product. If `peaks` is not NULL, the peak rate is measured alternately with it and added to
 * peaks. The library's own product and the BLAS are not measured alternately, since the threads of each wait actively
 * for a while after a product; the warm-up outlasts this. */
static double seconds_of(const machine *m, pk_gemm_kind kind, const product *p, int64_t rows, float *memory, void *work,
                         samples *peaks)
{
    samples times = { .n = 0 };
    double last = 0;
    for (double end = now(m->s) + 0.2; now(m->s) < end;) last = run_product(m, kind, p, rows, memory, work);
    for (int r = 0; r < 3 * m->s->rounds; r++) {
        if (peaks) {                                        /* for as long as a product takes */
            add_sample(peaks, pk_pool_peak(m->kernels, m->s->compute, m->pool, last));
            run_product(m, kind, p, rows, memory, work);
        }
        add_sample(&times, run_product(m, kind, p, rows, memory, work));
    }
    return median(&times);
}

void bench_products(const machine *m)
{
    const settings *s = m->s;
    const int64_t d = s->network->width, mlp = s->network->mlp, side = s->image / 16;
    const product products[] = {
        { "qkv forward", 3 * d, d, false }, { "proj forward", d, d, false }, { "fc1 forward", mlp, d, false },
        { "fc2 forward", d, mlp, false }, { "qkv dX", d, 3 * d, true }, { "proj dX", d, d, true },
        { "fc1 dX", d, mlp, true }, { "fc2 dX", mlp, d, true } };
    const int64_t rows = (side * side + 1) * s->batch;        /* tokens: patches and the class token */
    const int threads = pk_pool_threads(m->pool);
    const size_t floats = (size_t)(2 * rows * mlp + mlp * mlp);
    float *memory = pf_alloc(m->ctx, floats * sizeof *memory);
    void *work = pf_alloc(m->ctx, pk_gemm_work(m->kernels, s->compute, rows, mlp, mlp, threads));
    if (!memory || !work) must(PEFT_E_NOMEM);
    for (size_t i = 0; i < floats; i++) memory[i] = (float)((i * 2654435761u >> 8) & 1023) / 1024 - 0.5f;
    printf("\nproducts in %s, %lld rows, %d thread%s, fraction of the peak\n%-16s %8s %8s %10s\n",
           s->arithmetic, (long long)rows, threads, threads > 1 ? "s" : "", "product", "own", "cblas",
           "own/cblas");
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        const product *p = &products[i];
        const double flops = 2.0 * (double)rows * (double)p->n * (double)p->k;
        samples peaks = { .n = 0 };
        const double own = seconds_of(m, PK_GEMM_OWN, p, rows, memory, work, &peaks), peak = median(&peaks);
        printf("%-16s %8.3f", p->name, flops / own / peak);
        if (s->compute == PK_COMPUTE_F32) {
            const double blas = seconds_of(m, PK_GEMM_CBLAS, p, rows, memory, work, NULL);
            printf(" %8.3f %10.3f", flops / blas / peak, blas / own);
        }
        printf("\n");
        write_row(m, p->name, "file", own, flops, peak, 0);
    }
    pf_free(m->ctx, memory);
    pf_free(m->ctx, work);
}
