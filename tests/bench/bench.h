/* SPDX-License-Identifier: Apache-2.0
 * bench.h -- what the files of the program bench share: its settings, measured values, and rows of results. */
#ifndef BENCH_H
#define BENCH_H
#include <peft/peft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/graph/spec.h"
#include "kernels/pk.h"

/* A network: its name in rows, its options of peft_backbone_create without image_size, its width and MLP width. */
typedef struct { const char *name, *options; int64_t width, mlp; } bench_network;

/* The program's options. rounds: how often a time is measured. json: where rows are written too, one object a line;
 * NULL: nowhere. row: names of the steps to measure, between commas; NULL: all. clock: with --cpu and one thread the
 * thread's own time, for a machine that is busy with other things. weights: the storage of the network's matrices in
 * steps and inference, as the load option of this name. compute, arithmetic: of one value of --compute, and this
 * value. */
typedef struct {
    const char *isa, *gemm, *weights;
    int threads, rounds, batch, image;
    pk_compute compute;
    const char *arithmetic;
    const bench_network *network;
    FILE *json;
    const char *row;
    clockid_t clock;
} settings;

/* What rows of one number of threads share: the kernels, and the threads that measure the peak. */
typedef struct { const settings *s; const pk_table *kernels; pk_pool *pool; peft_context *ctx; } machine;

static inline void must(peft_status s)
{
    if (!s) return;
    fprintf(stderr, "bench: %s: %s\n", peft_status_name(s), peft_last_error());
    exit(1);
}

static inline double now(const settings *s)
{
    struct timespec t;
    clock_gettime(s->clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Measured values of a quantity. Quantities to be compared are measured alternately, for similar times, and compared by
 * their medians: so other load of the machine disturbs them alike. */
enum { SAMPLES = 64 };
typedef struct { double v[SAMPLES]; int n; } samples;

static inline void add_sample(samples *s, double v)
{
    if (s->n < SAMPLES) s->v[s->n++] = v;
}

static inline int compare_samples(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double median(const samples *s)
{
    samples sorted = *s;
    qsort(sorted.v, (size_t)sorted.n, sizeof *sorted.v, compare_samples);
    return s->n ? sorted.v[s->n / 2] : 0;
}

static inline peft_options *options_of(peft_context *ctx, const char *text)
{
    peft_options *o;
    must(peft_options_create(ctx, &o));
    must(peft_options_parse(o, text));
    return o;
}

/* Writes a result to --json. weights: the storage of the frozen matrices; flops: the needed ones; peak: operations a
 * second in registers in the same arithmetic. */
static inline void write_row(const machine *m, const char *row, const char *weights, double seconds, double flops,
                             double peak, double planned_bytes)
{
    const settings *s = m->s;
    if (!s->json) return;
    fprintf(s->json, "{\"row\": \"%s\", \"network\": \"%s\", \"image\": %d, \"compute\": \"%s\", "
            "\"weights\": \"%s\", \"isa\": \"%s\", \"threads\": %d, \"batch\": %d, \"seconds\": %.6g, "
            "\"gflop\": %.6g, \"of_peak\": %.4f, \"planned_mb\": %.4g}\n", row, s->network->name,
            s->image, s->arithmetic, weights, m->kernels->product[s->compute].name, pk_pool_threads(m->pool),
            s->batch, seconds, 1e-9 * flops, flops / seconds / peak, 1e-6 * planned_bytes);
    fflush(s->json);
}

void bench_products(const machine *m);
void bench_convolutions(const machine *m);
void bench_steps(const machine *m);                      /* training steps and inference */
#endif
