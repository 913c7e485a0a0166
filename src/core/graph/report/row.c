/* SPDX-License-Identifier: Apache-2.0
 * row.c -- writes the line of one operation: its place in the graph, operation, tensors and shapes, which kernel
 * computes it, and why no faster one does. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/graph/report/report.h"

#define HEADER_FORMAT "%-8s %4s %s %-28s %-40s %-40s %-22s %14s %12s  %s"
#define ROW_FORMAT    "%-8s %4u %c %-28s %-40s %-40s %-22s %14lld %12lld  %s"

enum { AVX512_FLOATS = 16 };             /* floats in a vector register of AVX-512 */

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
/* Appends to text what printf would print, as far as it fits. */
static void append(char *text, size_t capacity, const char *format, ...)
{
    const size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, capacity - used, format, args);
    va_end(args);
}

/* Is n a matrix product? Then sets *p to it. */
static bool product_of(const pf_exec *e, const pf_node *n, pk_gemm *p)
{
    if (!n->op->product) return false;
    n->op->product(&e->run, n, p);
    return true;
}

/* Appends the operation, and the epilogue if it is a product: "linear+bias+gelu". */
static void append_operation(const pf_exec *e, const pf_node *n, char *text, size_t capacity)
{
    static const char *const acts[] = { [PK_GELU] = "gelu", [PK_QUICKGELU] = "quickgelu", [PK_RELU] = "relu",
                                        [PK_TANH] = "tanh", [PK_SIGMOID] = "sigmoid", [PK_SILU] = "silu",
                                        [PK_EXP] = "exp", [PK_GELU_TANH] = "gelu_tanh" };
    pk_gemm p;
    append(text, capacity, "%s", n->op->name);
    if (!product_of(e, n, &p)) return;
    if (p.bias) append(text, capacity, "+bias");
    if (p.act) append(text, capacity, "+%s", acts[p.act]);
    if (p.gate) append(text, capacity, "+%s'", acts[p.gate_act]);
    if (p.gamma) append(text, capacity, "+gamma");
    if (p.residual) append(text, capacity, "+add");
}

/* Appends the extents of v: "4x197x768"; "1" for a value without extents. */
static void append_shape(const pf_graph *g, pf_val v, char *text, size_t capacity)
{
    const pf_shape *s = &pf_v(g, v)->shape;
    if (!s->ndim) append(text, capacity, "1");
    for (int k = 0; k < s->ndim; k++) append(text, capacity, k ? "x%lld" : "%lld", (long long)s->dim[k]);
}

/* Appends the shapes of the first two inputs and the first output: "4x197x768:3072x768->4x197x3072". */
static void append_shapes(const pf_graph *g, const pf_node *n, char *text, size_t capacity)
{
    for (int k = 0, shown = 0; k < PF_MAX_IN && shown < 2; k++) {
        if (!pf_exists(n->in[k])) continue;
        if (shown++) append(text, capacity, ":");
        append_shape(g, n->in[k], text, capacity);
    }
    for (int k = 0; k < PF_MAX_OUT; k++) {
        if (!pf_exists(n->out[k])) continue;
        append(text, capacity, "->");
        append_shape(g, n->out[k], text, capacity);
        return;
    }
}

/* The arithmetic of an operation that is no single product: that of attention for its products, if it has some. */
static pk_compute compute_of(const pf_exec *e, const pf_node *n)
{
    const char *kernel = n->op->kernel;
    const bool has_products = kernel && (!strcmp(kernel, "gemm") || !strncmp(kernel, "attention", strlen("attention")));
    return has_products ? e->run.attention : PK_COMPUTE_F32;
}

/* Appends which kernel computes n: "gemm:avx2:f16", "layernorm:avx2", "copy"; "c": plain C. */
static void append_kernel(const pf_exec *e, const pf_node *n, char *text, size_t capacity)
{
    static const char *const types[PK_DTYPES] = { [PK_F16] = ":f16", [PK_BF16] = ":bf16", [PK_I8] = ":i8" };
    pk_gemm p;
    if (product_of(e, n, &p))
        append(text, capacity, "gemm:%s%s",
            pk_gemm_chosen(e->run.kernels, e->run.gemm, p.compute) == PK_GEMM_CBLAS ? "cblas"
                : e->run.kernels->product[p.compute].name,
            p.b_type ? types[p.b_type] : "");
    else if (!n->op->kernel) append(text, capacity, "c");
    else if (!strcmp(n->op->kernel, "copy")) append(text, capacity, "copy");
    else append(text, capacity, "%s:%s", n->op->kernel, e->run.kernels->product[compute_of(e, n)].name);
}

/* Separates the next reason from those in text, if there are any. */
static void append_separator(char *text, size_t capacity)
{
    if (*text) append(text, capacity, "; ");
}

/* Appends why the kernel of this arithmetic (F32: also of all that is no product) is not that of the best instruction
 * set, if it is not. */
static void append_isa_reason(const pf_exec *e, pk_compute compute, char *text, size_t capacity)
{
    const pk_table *t = e->run.kernels, *best = pk_find(pk_isas()[0]);
    const char *chosen_by = e->g.spec.isa_by;
    const pk_table *wanted = e->g.spec.kernels ? e->g.spec.kernels : e->g.ctx->kernels;
    if (wanted != t) chosen_by = pk_tiles_refusal();
    if (strcmp(t->product[compute].name, best->product[compute].name)) {
        append_separator(text, capacity);
        append(text, capacity, "%s: %s", t->name, chosen_by ? chosen_by : "chosen");
    } else if (t->vector < AVX512_FLOATS) {
        append_separator(text, capacity);
        append(text, capacity, t->vector == 1 ? "%s: no vector kernels for this CPU" : "%s: this CPU has no AVX-512",
            t->name);
    }
    if (compute != PK_COMPUTE_F32 && t->product[compute].per_lane == 1) {
        append_separator(text, capacity);
        append(text, capacity, "%s: no instructions for %s", t->name, pk_compute_name(compute));
    }
}

/* Appends why this implementation of the product was chosen, and what keeps it from its best speed. */
static void append_product_reasons(const pf_exec *e, const pk_gemm *p, char *text, size_t capacity)
{
    const char *chosen_by = e->g.spec.gemm_by;
    char limits[120];
    if (pk_gemm_chosen(e->run.kernels, e->run.gemm, p->compute) == PK_GEMM_CBLAS) {
        append(text, capacity, "cblas: %s", chosen_by ? chosen_by : "the library's own product is plain C on this CPU");
        return;
    }
    if (e->run.kernels->vector == 1) append(text, capacity, "own: %s", chosen_by ? chosen_by : "no BLAS can be opened");
    if (*pk_gemm_limits(e->run.kernels, e->run.pool, p, limits, sizeof limits)) {
        append_separator(text, capacity);
        append(text, capacity, "%s", limits);
    }
    if (p->compute != e->run.compute) {
        append_separator(text, capacity);
        append(text, capacity, "%s: %s is for frozen weights", pk_compute_name(p->compute),
               pk_compute_name(e->run.compute));
        if (e->run.int8_least)
            append(text, capacity, " of %lld rows and columns or more", (long long)e->run.int8_least);
    }
    append_isa_reason(e, p->compute, text, capacity);
}

/* Column why: what keeps n from the fastest kernel; "-": nothing. */
static void append_reasons(const pf_exec *e, const pf_node *n, char *text, size_t capacity)
{
    pk_gemm p;
    if (product_of(e, n, &p)) append_product_reasons(e, &p, text, capacity);
    else if (!n->op->kernel) append(text, capacity, "no vector kernel");
    else if (strcmp(n->op->kernel, "copy")) append_isa_reason(e, compute_of(e, n), text, capacity);
    if (!*text) append(text, capacity, "-");
}

int64_t pf_row_flops(const pf_exec *e, uint32_t i)
{
    const pf_node *n = &e->g.node[i];
    return n->op->flops ? n->op->flops(&e->g, n) : 0;
}

/* The size of v in the element type that it is stored in. */
static int64_t bytes_of(const pf_graph *g, pf_val v)
{
    const pf_value *x = pf_v(g, v);
    int64_t size = pk_dtype_size(x->type);
    if (!pf_exists(v)) return 0;
    if (x->kind == PF_INPUT && !strcmp(g->input[x->input_index].name, "labels")) size = (int64_t)sizeof(int64_t);
    return pf_shape_count(&x->shape) * size;
}

int64_t pf_row_bytes(const pf_exec *e, uint32_t i)
{
    const pf_node *n = &e->g.node[i];
    int64_t bytes = 0;
    for (int k = 0; k < PF_MAX_IN; k++) bytes += bytes_of(&e->g, n->in[k]);
    for (int k = 0; k < PF_MAX_OUT; k++) bytes += bytes_of(&e->g, n->out[k]);
    return bytes;
}

void pf_row_header(char line[PF_ROW_MAX])
{
    snprintf(line, PF_ROW_MAX, HEADER_FORMAT, "graph", "op", "p", "operation", "tensors", "shapes", "kernel", "flops",
             "bytes", "why");
}

void pf_row(const pf_exec *e, uint32_t i, char line[PF_ROW_MAX])
{
    const pf_node *n = &e->g.node[i];
    /* column p: f: frozen prefix, r: computed again, b: backward, -: the forward nodes between them */
    const char part = i < e->g.prefix ? 'f' : n->again ? 'r' : n->backward ? 'b' : '-';
    char tensors[120], operation_text[64] = "", extents[120] = "", kernel_text[40] = "", reason[200] = "";
    pf_row_tensors(&e->g, i, tensors, sizeof tensors);
    append_operation(e, n, operation_text, sizeof operation_text);
    append_shapes(&e->g, n, extents, sizeof extents);
    append_kernel(e, n, kernel_text, sizeof kernel_text);
    append_reasons(e, n, reason, sizeof reason);
    snprintf(line, PF_ROW_MAX, ROW_FORMAT, e->g.spec.name ? e->g.spec.name : "graph", i,
             part, operation_text, tensors, extents, kernel_text,
             (long long)pf_row_flops(e, i), (long long)pf_row_bytes(e, i), reason);
}
