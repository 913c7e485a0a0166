/* SPDX-License-Identifier: Apache-2.0
 * bench.c -- speed of GEMM, training steps and inference of a random ViT-B/16, as fractions of the peak rate of fused
 * multiply-adds (FMA) that the same run measures. Only necessary FLOPs count: neither recomputation nor rows whose
 * results are not used. */
#include <getopt.h>
#include <peft/peft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/adapt/adapter.h"
#include "kernels/pk.h"

/* The program's options; rounds: how often a time is measured. */
typedef struct { const char *isa; int threads, rounds, batch, depth; const char *gemm; } settings;

static void must(peft_status s)
{
    if (!s) return;
    fprintf(stderr, "bench: %s: %s\n", peft_status_name(s), peft_last_error());
    exit(1);
}

/* Wall time; with --cpu and one thread the thread's own time, for a machine that is busy with other things. */
static clockid_t clock_used = CLOCK_MONOTONIC;

static double now(void)
{
    struct timespec t;
    clock_gettime(clock_used, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static const double peak_seconds = 0.2;                       /* time of one measurement of the FMA peak */
/* Measured values of a quantity. Quantities to be compared are measured alternately, for similar times, and compared by
 * their medians: so other load of the machine disturbs them alike. */
enum { SAMPLES = 64 };
typedef struct { double v[SAMPLES]; int n; } samples;

static void add_sample(samples *s, double v)
{
    if (s->n < SAMPLES) s->v[s->n++] = v;
}

static double median(const samples *s)
{
    double v[SAMPLES];
    memcpy(v, s->v, sizeof v);
    for (int i = 1; i < s->n; i++)
        for (int k = i; k > 0 && v[k] < v[k - 1]; k--) {
            double t = v[k];
            v[k] = v[k - 1];
            v[k - 1] = t;
        }
    return s->n ? v[s->n / 2] : 0;
}

/* A product of ViT-B/16: [m, k] times [k, n]. dx: the product of the backward pass for the gradient of the input X,
 * which reads the weights in the other order. */
typedef struct { const char *name; int64_t n, k; bool dx; } product;
static const product products[] = {
    { "qkv forward", 2304, 768, false }, { "proj forward", 768, 768, false },
    { "fc1 forward", 3072, 768, false }, { "fc2 forward", 768, 3072, false },
    { "qkv dX", 768, 2304, true }, { "proj dX", 768, 768, true },
    { "fc1 dX", 768, 3072, true }, { "fc2 dX", 3072, 768, true } };

/* Seconds of one product. */
static double run_gemm(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, const product *p, int64_t m, float *memory,
    void *work)
{
    float *a = memory, *b = a + m * p->k, *c = b + p->n * p->k;
    pk_gemm g = { .m = m, .n = p->n, .k = p->k, .a = a, .a_row = p->k, .a_col = 1, .b = b, .b_row = p->dx ? p->n : 1,
                  .b_col = p->dx ? 1 : p->k, .c = c, .c_row = p->n, .scale = 1 };
    double start = now();
    pk_gemm_run(t, pool, kind, &g, work);
    return now() - start;
}

/* FLOP/s of a product. If `peaks` is not NULL, the peak rate of FMA is measured alternately with it and added to peaks.
 * The library's own GEMM and the BLAS are not measured alternately, since the threads of each wait actively for a while
 * after a product; the warm-up outlasts this. */
static double product_speed(const settings *s, const pk_table *t, pk_pool *pool, pk_gemm_kind kind, const product *p,
                            int64_t m, float *memory, void *work, samples *peaks)
{
    samples times = { .n = 0 };
    double last = 0;
    for (double end = now() + 0.2; now() < end;) last = run_gemm(t, pool, kind, p, m, memory, work);       /* warm-up */
    for (int r = 0; r < 3 * s->rounds; r++) {
        if (peaks) {
            add_sample(peaks, pk_pool_peak(t, PK_COMPUTE_F32, pool, last));   /* for as long as a product takes */
            run_gemm(t, pool, kind, p, m, memory, work);
        }
        add_sample(&times, run_gemm(t, pool, kind, p, m, memory, work));
    }
    return 2.0 * (double)m * (double)p->n * (double)p->k / median(&times);
}

static void bench_gemm(const settings *s, const pk_table *t, pk_pool *pool, peft_context *ctx)
{
    int64_t m = 197 * s->batch;                               /* tokens of an image: 14 x 14 patches, class token */
    int threads = pk_pool_threads(pool);
    size_t floats = (size_t)(2 * m * 3072 + 3072 * 3072);
    float *memory = pf_alloc(ctx, floats * sizeof *memory);
    void *work = pf_alloc(ctx, pk_gemm_work(t, PK_COMPUTE_F32, m, 3072, 3072, threads));
    if (!memory || !work) must(PEFT_E_NOMEM);
    for (size_t i = 0; i < floats; i++) memory[i] = (float)((i * 2654435761u >> 8) & 1023) / 1024 - 0.5f;
    printf("\nGEMM, %lld rows, %d thread%s, fraction of the FMA peak\n%-16s %8s %8s %10s\n", (long long)m, threads,
           threads > 1 ? "s" : "", "product", "own", "cblas", "own/cblas");
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        samples peaks = { .n = 0 };
        samples *const without_peaks = NULL;
        double own = product_speed(s, t, pool, PK_GEMM_OWN, &products[i], m, memory, work, &peaks);
        double blas = product_speed(s, t, pool, PK_GEMM_CBLAS, &products[i], m, memory, work, without_peaks);
        printf("%-16s %8.3f %8.3f %10.3f\n", products[i].name, own / median(&peaks), blas / median(&peaks),
               own / blas);
    }
    pf_free(ctx, memory);
    pf_free(ctx, work);
}

static peft_options *options(peft_context *ctx, const char *text)
{
    peft_options *o;
    must(peft_options_create(ctx, &o));
    must(peft_options_parse(o, text));
    return o;
}

typedef struct { peft_context *ctx; peft_backbone *b; peft_tensor *images, *labels, *logits; int batch; } fixture;

/* A trainer for this method with these options, its model in *m. unfreeze: pattern of tensors of the backbone to train
 * as well, or NULL. With it a step without EPT computes the same gradients as one with EPT. */
static peft_trainer *trainer_of(const fixture *x, const char *method, const char *method_options,
                                const char *unfreeze, peft_model **m)
{
    char text[64];
    peft_adapter *a;
    peft_trainer *t;
    peft_options *o = options(x->ctx, "classes=2");
    must(peft_model_create(x->b, o, m));
    peft_options_free(o);
    o = options(x->ctx, method_options);
    must(peft_adapter_create(x->b, method, o, &a));
    peft_options_free(o);
    if (unfreeze) peft_sys_unfreeze(a, unfreeze);
    must(peft_model_attach(*m, a));
    peft_adapter_free(a);
    snprintf(text, sizeof text, "batch=%d", x->batch);
    o = options(x->ctx, text);
    must(peft_trainer_create(*m, o, &t));
    peft_options_free(o);
    return t;
}

static double run_step(const fixture *x, peft_trainer *t)
{
    double start = now();
    must(peft_trainer_step(t, x->images, x->labels, NULL));
    return now() - start;
}

/* A method with its options. A row with a `ratio` is measured alternately with the next one, and the ratio of their
 * times is printed with this text. */
typedef struct { const char *label, *method, *method_options, *unfreeze, *ratio; } step_row;

static const step_row step_rows[] = {
    { "ept", "ept", "", NULL, "with ept / without" },
    { "same gradients without ept", "linear", "", "blocks.0.attn.proj.bias", NULL },
    { "vpt-deep, 100 prompts", "vpt", "tokens=100", NULL, "100 prompts / 1 prompt" },
    { "vpt-deep, 1 prompt", "vpt", "tokens=1", NULL, NULL },
    { "lora (q, v)", "lora", "", NULL, NULL },
    { "bitfit", "bitfit", "", NULL, NULL },
    { "partial-1", "partial", "", NULL, NULL },
    { "linear", "linear", "", NULL, NULL },
    { "full", "full", "", NULL, NULL } };

/* Measures one row, or two alternately; returns the number of rows. */
static int bench_rows(const settings *s, const fixture *x, const pk_table *t, pk_pool *pool, const step_row *row)
{
    const int n = row->ratio ? 2 : 1;
    peft_model *m[2];
    peft_trainer *trainer[2];
    samples peaks = { .n = 0 }, times[2] = { { .n = 0 }, { .n = 0 } };
    for (int k = 0; k < n; k++) {
        trainer[k] = trainer_of(x, row[k].method, row[k].method_options, row[k].unfreeze, &m[k]);
        run_step(x, trainer[k]);                              /* warm-up */
    }
    for (int r = 0; r < s->rounds; r++) {
        add_sample(&peaks, pk_pool_peak(t, PK_COMPUTE_F32, pool, peak_seconds));
        for (int k = 0; k < n; k++) add_sample(&times[k], run_step(x, trainer[k]));
    }
    for (int k = 0; k < n; k++) {
        double flops = peft_trainer_get(trainer[k], "flops");
        printf("%-28s %9.1f %9.1f %9.3f %10.1f\n", row[k].label, 1e3 * median(&times[k]), 1e-9 * flops,
               flops / median(&times[k]) / median(&peaks), peft_trainer_get(trainer[k], "planned_bytes") / 1e6);
        peft_trainer_free(trainer[k]);
        peft_model_free(m[k]);
    }
    if (n > 1) printf("%-28s %9.4f\n", row->ratio, median(&times[0]) / median(&times[1]));
    return n;
}

static void bench_steps(const settings *s, const fixture *x, const pk_table *t, pk_pool *pool)
{
    printf("\ntrain step, batch %d, %d thread%s\n%-28s %9s %9s %9s %10s\n", x->batch, pk_pool_threads(pool),
           pk_pool_threads(pool) > 1 ? "s" : "", "method", "ms", "GFLOP", "of peak", "planned MB");
    for (size_t i = 0; i < sizeof step_rows / sizeof *step_rows;) i += (size_t)bench_rows(s, x, t, pool, &step_rows[i]);
}

static void bench_inference(const settings *s, const fixture *x, const pk_table *t, pk_pool *pool)
{
    char text[64];
    peft_model *m;
    peft_session *session;
    samples peaks = { .n = 0 }, times = { .n = 0 };
    snprintf(text, sizeof text, "batch=%d", x->batch);
    peft_options *o = options(x->ctx, text);
    /* FLOPs of inference: those of a linear probe's step, which are 3 kFLOP an image more (the head's gradient). */
    peft_trainer *probe = trainer_of(x, "linear", "", NULL, &m);
    double flops = peft_trainer_get(probe, "flops");
    peft_trainer_free(probe);
    must(peft_session_create(m, o, &session));
    must(peft_session_predict(session, x->images, x->logits));            /* warm-up */
    for (int r = 0; r < s->rounds; r++) {
        double start = now();
        must(peft_session_predict(session, x->images, x->logits));
        add_sample(&times, now() - start);
        add_sample(&peaks, pk_pool_peak(t, PK_COMPUTE_F32, pool, peak_seconds));
    }
    printf("\ninference, batch %d: %.1f ms, %.1f images/s, %.3f of peak, planned %.1f MB\n", x->batch,
           1e3 * median(&times), x->batch / median(&times), flops / median(&times) / median(&peaks),
           (double)peft_session_memory(session) / 1e6);
    peft_session_free(session);
    peft_model_free(m);
    peft_options_free(o);
}

static fixture make_fixture(const settings *s, int threads)
{
    fixture x = { .batch = s->batch };
    char text[64];
    must(peft_context_create(NULL, NULL, NULL, &x.ctx));
    must(peft_context_set_isa(x.ctx, s->isa));
    must(peft_context_set_gemm(x.ctx, s->gemm));
    must(peft_context_set_threads(x.ctx, threads));
    snprintf(text, sizeof text, "depth=%d", s->depth);
    peft_options *o = options(x.ctx, text);
    must(peft_backbone_create(x.ctx, o, &x.b));
    peft_options_free(o);
    must(peft_tensor_create(x.ctx, PEFT_F32, 4, (int64_t[]){ s->batch, 3, 224, 224 }, &x.images));
    must(peft_tensor_create(x.ctx, PEFT_I64, 1, (int64_t[]){ s->batch }, &x.labels));
    must(peft_tensor_create(x.ctx, PEFT_F32, 2, (int64_t[]){ s->batch, 2 }, &x.logits));
    float *p = peft_tensor_data(x.images);
    for (int64_t i = 0; i < peft_tensor_count(x.images); i++) p[i] = (float)((i * 2654435761u >> 8) & 1023) / 512 - 1;
    for (int i = 0; i < s->batch; i++) ((int64_t *)peft_tensor_data(x.labels))[i] = i % 2;
    return x;
}

static void free_fixture(fixture *x)
{
    peft_tensor_free(x->images);
    peft_tensor_free(x->labels);
    peft_tensor_free(x->logits);
    peft_backbone_free(x->b);
    peft_context_free(x->ctx);
}

static void bench(const settings *s, int threads)
{
    const pk_table *t = pk_find(s->isa);
    if (!t) must(peft_set_error(PEFT_E_NOTFOUND, "--isa: this machine has no such instruction set"));
    pk_pool *pool = aligned_alloc(64, (pk_pool_bytes(threads) + 63) / 64 * 64);
    if (pk_pool_start(pool, threads) < threads) must(peft_set_error(PEFT_E_NOMEM, "threads could not be started"));
    printf("\n%s, %d thread%s: FMA peak %.1f GFLOP/s\n", t->name, threads, threads > 1 ? "s" : "",
           1e-9 * pk_pool_peak(t, PK_COMPUTE_F32, pool, 10));
    fixture x = make_fixture(s, threads);
    bench_gemm(s, t, pool, x.ctx);
    bench_steps(s, &x, t, pool);
    bench_inference(s, &x, t, pool);
    free_fixture(&x);
    pk_pool_stop(pool);
    free(pool);
}

int main(int argc, char **argv)
{
    settings s = { .isa = "auto", .rounds = 7, .batch = 4, .depth = 12, .gemm = "auto" };
    static const struct option long_options[] = {
        { "isa", 1, 0, 'i' }, { "threads", 1, 0, 't' }, { "rounds", 1, 0, 'r' }, { "batch", 1, 0, 'b' },
        { "depth", 1, 0, 'd' }, { "gemm", 1, 0, 'g' }, { "cpu", 0, 0, 'c' }, { "help", 0, 0, 'h' }, { 0 } };
    for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        if (c == 'i') s.isa = optarg;
        else if (c == 't') s.threads = atoi(optarg);
        else if (c == 'r') s.rounds = atoi(optarg);
        else if (c == 'b') s.batch = atoi(optarg);
        else if (c == 'd') s.depth = atoi(optarg);
        else if (c == 'g') s.gemm = optarg;
        else if (c == 'c') clock_used = CLOCK_THREAD_CPUTIME_ID;
        else {
            printf("bench [--isa avx512|avx2|ref] [--threads N (0: 1, then 2)] [--rounds N] [--batch N] [--depth N] "
                   "[--gemm own|cblas] [--cpu]\n");
            return c != 'h';
        }
    }
    printf("%s\n", peft_build_info());
    if (s.threads) bench(&s, s.threads);
    else for (int n = 1; n <= 2; n++) bench(&s, n);
    return 0;
}
