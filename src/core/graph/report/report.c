/* SPDX-License-Identifier: Apache-2.0
 * report.c -- writes the table of a graph's operations (peft_session_describe), and logs its lines with measured times
 * while the graph runs (log level 3). */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include "core/graph/report/report.h"

enum { PEAKS_MAX = 16 };                 /* measured peaks that are kept: of kernels, arithmetic and threads */
enum { MEASUREMENTS = 4 };               /* of a peak; the best counts, as other programs may take a core */
#define MEASUREMENT_SECONDS 0.002

/* Bytes of the values that the forward pass, or the caller, makes and the backward pass reads, by type. What the
 * backward pass computes again is not among them. */
static void kept_bytes(const pf_graph *g, int64_t bytes[PK_ELEMENT_TYPES])
{
    uint32_t first = 0;                                  /* the first backward node */
    while (first < g->nodes && !g->node[first].backward) first++;
    for (uint32_t v = 1; v < g->values; v++) {
        bool made = g->value[v].from_caller, read = false;
        if (g->value[v].kind != PF_TEMP || pf_exists(g->value[v].view_of)) continue;
        for (uint32_t i = 0; i < g->nodes && !(made && read); i++) {
            const pf_node *n = &g->node[i];
            for (int k = 0; k < PF_MAX_OUT && i < first; k++) made |= pf_root(g, n->out[k]).id == v;
            for (int k = 0; k < PF_MAX_IN && i >= first; k++) read |= pf_root(g, n->in[k]).id == v;
        }
        if (made && read) bytes[g->value[v].type] += pf_value_bytes(&g->value[v]);
    }
}

void pf_exec_describe(const pf_exec *e, void (*fn)(const char *line, void *user), void *user)
{
    char line[PF_ROW_MAX];
    long long flops = 0, bytes = 0;
    const char *name = e->g.spec.name ? e->g.spec.name : "graph";
    snprintf(line, sizeof line, "%s: %lld sample%s, %d thread%s, kernels %s, products %s", name, (long long)e->g.batch,
             e->g.batch > 1 ? "s" : "", e->run.threads, e->run.threads > 1 ? "s" : "",
             e->run.kernels->product[e->run.compute].name,
             pk_gemm_chosen(e->run.kernels, e->run.gemm, e->run.compute) == PK_GEMM_CBLAS ? "cblas" : "own");
    fn(line, user);
    pf_row_header(line);
    fn(line, user);
    for (uint32_t i = 0; i < e->g.nodes; i++) {
        pf_row(e, i, line);
        fn(line, user);
        flops += pf_row_flops(e, i);
        bytes += pf_row_bytes(e, i);
    }
    const int used = snprintf(line, sizeof line, "%s: %u operations, %lld FLOPs, %lld bytes read and written; arena "
                              "%zu bytes (%zu alive at once, by operation %u), scratch %zu bytes", name, e->g.nodes,
                              flops, bytes, e->plan.arena, e->plan.alive, e->plan.fullest, e->plan.scratch_bytes);
    if (pf_exists(e->g.loss)) {
        int64_t kept[PK_ELEMENT_TYPES] = { 0 };
        kept_bytes(&e->g, kept);
        snprintf(line + used, sizeof line - (size_t)used, "; kept for the backward pass: %lld bytes in f32, %lld in "
                 "bf16", (long long)kept[PK_REAL], (long long)kept[PK_BF16]);
    }
    fn(line, user);
}

/* FLOP/s that the threads of r reach with its kernels on fused multiply-adds alone, measured once in a process. The
 * lock is not held during the measurement: the pool may be the application's, and its threads may call this function
 * for another graph. */
static double peak_of(const pf_run *r)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct { const pk_table *kernels; pk_compute compute; int threads; double flops; } peaks[PEAKS_MAX];
    static int count;
    double flops = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < count && !(flops > 0); i++)
        if (peaks[i].kernels == r->kernels && peaks[i].compute == r->compute && peaks[i].threads == r->threads)
            flops = peaks[i].flops;
    pthread_mutex_unlock(&lock);
    if (flops > 0) return flops;
    for (int i = 0; i < MEASUREMENTS; i++)
        flops = fmax(flops, pk_pool_peak(r->kernels, r->compute, r->pool, MEASUREMENT_SECONDS));
    pthread_mutex_lock(&lock);
    const int slot = count < PEAKS_MAX ? count++ : 0;    /* the table is full: replaces the first */
    peaks[slot].kernels = r->kernels, peaks[slot].compute = r->compute, peaks[slot].threads = r->threads;
    peaks[slot].flops = flops;
    pthread_mutex_unlock(&lock);
    return flops;
}

void pf_trace_node(const pf_exec *e, uint32_t i)
{
    char line[PF_ROW_MAX];
    const double peak = peak_of(&e->run), start = pk_seconds();
    e->g.node[i].op->run(&e->run, &e->g.node[i]);
    const double seconds = pk_seconds() - start, flops = (double)pf_row_flops(e, i);
    pf_row(e, i, line);
    if (flops > 0 && seconds > 0)
        pf_log(e->g.ctx, PF_LOG_DEBUG, "%s | %.1f us %.4g GFLOP/s %.3g%%", line, 1e6 * seconds, 1e-9 * flops / seconds,
               100 * flops / seconds / peak);
    else pf_log(e->g.ctx, PF_LOG_DEBUG, "%s | %.1f us - -", line, 1e6 * seconds);
}
