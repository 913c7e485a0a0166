/* SPDX-License-Identifier: Apache-2.0
 * bench.c -- speed of matrix products, training steps and inference of a random ViT, and of convolutions, as fractions
 * of the peak rate of the arithmetic that the same run measures in registers. Only necessary FLOPs count: neither
 * recomputation nor rows whose results are not used. */
#include "bench.h"
#include <getopt.h>

static const bench_network networks[] = {
    { "vit_tiny", "width=192,heads=3,mlp=768", 192, 768 }, { "vit_small", "width=384,heads=6,mlp=1536", 384, 1536 },
    { "vit_base", "", 768, 3072 }, { "vit_large", "width=1024,heads=16,mlp=4096,depth=24", 1024, 4096 } };
enum { NETWORKS = sizeof networks / sizeof *networks };

static void help(void)
{
    printf("bench [--isa NAME] [--gemm own|cblas] [--threads N (0: 1, then 2)] [--rounds N] [--batch N,N..]\n"
           "      [--compute f32,bf16x3,bf16,int8,int8_all] [--weights file|bf16|int8 (of the steps)]\n"
           "      [--network vit_tiny|vit_small|vit_base|vit_large] [--image PIXELS]\n"
           "      [--only products|steps|conv] [--row NAME,.. (of the steps, as in --json)]\n"
           "      [--json FILE (- : standard output)] [--cpu]\n");
}

static _Noreturn void refuse(const char *what, const char *given)
{
    fprintf(stderr, "bench: %s: given '%s'\n", what, given);
    exit(1);
}

/* The peaks of all arithmetics of these kernels. */
static void print_peaks(const machine *m)
{
    printf("\n%s, %d thread%s, peak in registers:", m->kernels->name, pk_pool_threads(m->pool),
           pk_pool_threads(m->pool) > 1 ? "s" : "");
    for (int c = 0; c < PK_COMPUTES; c++)
        printf(" %s %.1f GFLOP/s", pk_compute_name((pk_compute)c),
               1e-9 * pk_pool_peak(m->kernels, (pk_compute)c, m->pool, 2));
    printf("\n");
}

/* All rows for one number of threads. computes, batches: lists between commas; only: "products", "steps", "conv", or
 * NULL: products and steps. */
static void bench(settings *s, int threads, const char *computes, const char *batches, const char *only)
{
    machine m = { .s = s, .kernels = pk_find(s->isa) };
    if (!m.kernels) refuse("--isa: this machine has no such instruction set", s->isa);
    m.pool = aligned_alloc(PK_ALIGN, (pk_pool_bytes(threads) + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
    if (pk_pool_start(m.pool, threads) < threads) must(peft_set_error(PEFT_E_NOMEM, "threads could not be started"));
    must(peft_context_create(NULL, NULL, NULL, &m.ctx));
    must(peft_context_set_isa(m.ctx, s->isa));
    must(peft_context_set_gemm(m.ctx, s->gemm));
    must(peft_context_set_threads(m.ctx, threads));
    print_peaks(&m);
    for (const char *batch = batches; batch; batch = (batch = strchr(batch, ',')) ? batch + 1 : NULL)
        for (const char *c = computes; c; c = (c = strchr(c, ',')) ? c + 1 : NULL) {
            char name[16];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(c, ","), c);
            pf_compile_spec spec;
            must(pf_compute_parse(name, &spec));
            s->compute = spec.compute;
            s->arithmetic = pf_compute_name(&spec);
            m.kernels = pk_permitted(pk_find(s->isa), s->compute);
            if ((s->batch = atoi(batch)) < 1) refuse("--batch: expected numbers from 1 on", batches);
            if (!only || !strcmp(only, "products")) bench_products(&m);
            if (!only || !strcmp(only, "steps")) bench_steps(&m);
            if (only && !strcmp(only, "conv")) bench_convolutions(&m);
        }
    peft_context_free(m.ctx);
    pk_pool_stop(m.pool);
    free(m.pool);
}

int main(int argc, char **argv)
{
    settings s = { .isa = "auto", .weights = "file", .rounds = 7, .gemm = "auto", .image = 224, .network = &networks[2],
                   .clock = CLOCK_MONOTONIC };
    const char *computes = "f32", *batches = "4", *only = NULL;
    static const struct option long_options[] = {
        { "isa", 1, 0, 'i' }, { "threads", 1, 0, 't' }, { "rounds", 1, 0, 'r' }, { "batch", 1, 0, 'b' },
        { "gemm", 1, 0, 'g' }, { "compute", 1, 0, 'a' }, { "weights", 1, 0, 's' }, { "network", 1, 0, 'n' },
        { "image", 1, 0, 'p' }, { "only", 1, 0, 'o' }, { "row", 1, 0, 'w' }, { "json", 1, 0, 'j' }, { "cpu", 0, 0,
                                                                                                      'c' },
        { "help", 0, 0, 'h' }, { 0 } };
    for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        if (c == 'i') s.isa = optarg;
        else if (c == 't') s.threads = atoi(optarg);
        else if (c == 'r') s.rounds = atoi(optarg);
        else if (c == 'b') batches = optarg;
        else if (c == 'g') s.gemm = optarg;
        else if (c == 'a') computes = optarg;
        else if (c == 's') s.weights = optarg;
        else if (c == 'p') s.image = atoi(optarg);
        else if (c == 'o') only = optarg;
        else if (c == 'w') s.row = optarg;
        else if (c == 'c') s.clock = CLOCK_THREAD_CPUTIME_ID;
        else if (c == 'n') {
            s.network = NULL;
            for (int i = 0; i < NETWORKS; i++) if (!strcmp(optarg, networks[i].name)) s.network = &networks[i];
            if (!s.network) refuse("--network: expected vit_tiny, vit_small, vit_base or vit_large", optarg);
        } else if (c == 'j') {
            if (!(s.json = strcmp(optarg, "-") ? fopen(optarg, "w") : stdout)) perror(optarg), exit(1);
        } else {
            help();
            return c != 'h';
        }
    }
    if (only && strcmp(only, "products") && strcmp(only, "steps") && strcmp(only, "conv"))
        refuse("--only: expected products, steps or conv", only);
    if (strcmp(s.weights, "file") && strcmp(s.weights, "bf16") && strcmp(s.weights, "int8"))
        refuse("--weights: expected file, bf16 or int8", s.weights);
    if (s.image < 16 || s.image % 16) refuse("--image: expected a multiple of 16", "another number");
    printf("%s\n", peft_build_info());
    if (s.threads) bench(&s, s.threads, computes, batches, only);
    else for (int n = 1; n <= 2; n++) bench(&s, n, computes, batches, only);
    return s.json && s.json != stdout ? fclose(s.json) != 0 : 0;
}
