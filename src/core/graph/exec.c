/* SPDX-License-Identifier: Apache-2.0
 * exec.c -- the executor: sets the pointers of values once, and runs the nodes. With PF_PLAN_NAIVE every value has
 * memory of its own, which is overwritten with NaN after its last use: tests compare results with and without it bit
 * for bit, and so find faults of the memory plan. */
#include <math.h>
#include <string.h>
#include "core/graph/exec.h"
#include "core/graph/param.h"
#include "core/graph/report/report.h"

pf_mat pf_matrix(const pf_run *r, pf_val v)
{
    if (!pf_exists(v)) return (pf_mat){ 0 };
    return (pf_mat){ r->ptr[v.id], pf_rows(r->g, v), pf_cols(r->g, v), pf_cols(r->g, pf_root(r->g, v)) };
}

pf_half_mat pf_half_matrix(const pf_run *r, pf_val v)
{
    const pf_mat m = pf_matrix(r, v);
    return (pf_half_mat){ (uint16_t *)(void *)m.p, m.rows, m.cols, m.ld };
}

const pk_real *pf_real_row(const pf_run *r, pf_val v, int64_t row, pk_real *buffer)
{
    if (pf_v(r->g, v)->type == PK_REAL) {
        const pf_mat m = pf_matrix(r, v);
        return m.p + row * m.ld;
    }
    const pf_half_mat m = pf_half_matrix(r, v);
    r->kernels->widen[PK_BF16](buffer, m.p + row * m.ld, m.cols);
    return buffer;
}

int64_t pf_rows_each(const pf_run *r, pf_val v, int64_t count) { return pf_v(r->g, v)->type == PK_REAL ? count : 1; }

/* Bytes of one buffer. */
static size_t row_bytes(const pf_run *r, pf_val v) { return pf_align_up((size_t)pf_cols(r->g, v) * sizeof(pk_real)); }

size_t pf_rows_scratch(const pf_run *r, pf_val v)
{
    return pf_v(r->g, v)->type == PK_REAL ? 0 : (size_t)r->threads * row_bytes(r, v);
}

pk_real *pf_rows_buffer(const pf_run *r, pf_val v, int worker)
{
    return (pk_real *)((char *)r->scratch + (size_t)worker * row_bytes(r, v));
}

pk_weight pf_weight_of(const pf_run *r, pf_val v)
{
    const pf_value *x = pf_v(r->g, v);
    const int64_t rows = x->shape.ndim ? x->shape.dim[0] : 1, count = pf_shape_count(&x->shape);
    return (pk_weight){ .type = x->type, .rows = rows, .cols = rows ? count / rows : 0, .scales = x->scales,
                        .data = x->kind == PF_CONST ? x->data : r->ptr[v.id] };
}

/* The arguments of pf_parallel; n: items in all, chunk: items for one call of fn. */
typedef struct { pf_range_fn fn; void *arg; int64_t n, chunk; } range_job;

/* Calls fn for chunk number `task`. */
static void run_range(void *arg, int64_t task, int worker)
{
    const range_job *j = arg;
    int64_t begin = task * j->chunk, end = begin + j->chunk < j->n ? begin + j->chunk : j->n;
    j->fn(j->arg, begin, end, worker);
}

void pf_parallel(const pf_run *r, int64_t n, int64_t grain, pf_range_fn fn, void *arg)
{
    range_job j = { fn, arg, n, grain > 0 ? grain : 1 };
    if (n > 0) pk_pool_run(r->pool, (n + j.chunk - 1) / j.chunk, run_range, &j);
}

peft_status pf_exec_check_limit(const pf_exec *e)
{
    const size_t limit = e->g.spec.memory_limit, planned = pf_exec_bytes(e);
    if (!limit || planned <= limit) return PEFT_OK;
    const char *least = e->g.agains ? "takes at least" : "takes";
    return pf_fail(PEFT_E_UNSUPPORTED, "memory_limit: the graph for %lld samples %s %zu bytes, allowed are %zu: "
                   "give memory_limit=%zu or more, or a smaller batch", (long long)e->g.batch, least, planned, limit,
                   planned);
}

/* What operations of g read while they run, without memory for values. */
static pf_run run_of(const pf_graph *g)
{
    const pf_compile_spec *s = &g->spec;
    const pk_table *kernels = pk_permitted(s->kernels ? s->kernels : g->ctx->kernels, s->compute);
    const bool int8 = s->compute == PK_COMPUTE_INT8, fast_bf16 = kernels->product[PK_COMPUTE_BF16].per_lane > 1;
    return (pf_run){ .g = g, .kernels = kernels, .pool = s->pool, .threads = s->threads,
                     .gemm = s->kernels ? s->gemm : g->ctx->gemm, .compute = s->compute,
                     .int8_least = int8 ? s->int8_least : 0,
                     .narrow = fast_bf16 ? PK_COMPUTE_BF16 : PK_COMPUTE_F32,
                     .attention = kernels->product[s->compute].attention_compute,
                     .rest = kernels->product[s->compute].rest, .seed = g->ctx->seed };
}

/* Gives r a pointer for each value; all are NULL. */
static peft_status allocate_pointers(pf_run *r)
{
    const size_t bytes = r->g->values * sizeof(pk_real *);
    r->ptr = pf_alloc_zero(r->g->ctx, bytes);
    return r->ptr ? PEFT_OK : pf_nomem("graph pointers", bytes);
}

peft_status pf_exec_scratch(const pf_graph *g, size_t *bytes)
{
    pf_run r = run_of(g);
    PF_TRY(allocate_pointers(&r));
    *bytes = pf_largest_scratch(g, &r);
    if (*bytes < g->spec.least_scratch) *bytes = g->spec.least_scratch;
    pf_free(g->ctx, r.ptr);
    return PEFT_OK;
}

/* Moves the graph into e, which owns it from here on, and plans its memory. */
peft_status pf_exec_create(pf_exec *e, pf_graph *g)
{
    memset(e, 0, sizeof *e);
    e->g = *g;
    memset(g, 0, sizeof *g);
    e->run = run_of(&e->g);
    PF_TRY(allocate_pointers(&e->run));
    PF_TRY(pf_plan_make(&e->plan, &e->g, e->g.spec.flags));
    PF_TRY(pf_exec_scratch(&e->g, &e->plan.scratch_bytes));
    for (uint32_t i = 0; i < e->g.nodes; i++)
        if (e->g.node[i].op->flops) e->flops += e->g.node[i].op->flops(&e->g, &e->g.node[i]);
    for (int i = 0; i < e->g.inputs; i++) e->reads[i] = pf_input_is_read(&e->g, i);
    return pf_exec_check_limit(e);
}

size_t pf_exec_bytes(const pf_exec *e) { return e->plan.arena + e->plan.scratch_bytes + PK_ALIGN; }

size_t pf_exec_table_bytes(const pf_exec *e)
{
    const pf_graph *g = &e->g;
    return g->value_room * sizeof(pf_value) + g->node_room * sizeof(pf_node)
         + g->values * (sizeof(pk_real *) + sizeof(size_t) + sizeof(uint32_t));
}

/* Sets the pointers of values that own memory, then those of column views. Inputs get theirs by pf_exec_bind_input. */
static void set_pointers(pf_exec *e)
{
    pf_graph *g = &e->g;
    for (uint32_t id = 1; id < g->values; id++) {
        pf_value *v = &g->value[id];
        pk_real **p = &e->run.ptr[id];
        if (v->kind == PF_CONST) *p = v->type == PK_REAL ? v->data : NULL;
        else if (v->kind == PF_PARAM) *p = (pk_real *)v->param->value.data + v->offset;
        else if (v->kind == PF_TEMP && e->plan.offset[id] != SIZE_MAX)
            *p = (pk_real *)((char *)e->arena + e->plan.offset[id]);
    }
    for (uint32_t id = 1; id < g->values; id++) {
        int64_t col = 0;
        pf_val v = { id };
        for (; pf_exists(pf_v(g, v)->view_of); v = pf_v(g, v)->view_of) col += pf_v(g, v)->col;
        if (v.id != id && e->run.ptr[v.id])
            e->run.ptr[id] = (pk_real *)((char *)e->run.ptr[v.id] + col * pk_dtype_size(pf_v(g, v)->type));
    }
}

peft_status pf_exec_bind(pf_exec *e, void *memory)
{
    e->owns_arena = !memory;
    e->arena = memory ? memory : pf_alloc_zero(e->g.ctx, pf_exec_bytes(e));
    if (!e->arena) return pf_nomem("arena", pf_exec_bytes(e));
    e->run.scratch = (char *)e->arena + e->plan.arena;
    set_pointers(e);
    return PEFT_OK;
}

void pf_exec_free(pf_exec *e)
{
    peft_context *ctx = e->g.ctx;
    if (!ctx) return;
    if (e->owns_arena) pf_free(ctx, e->arena);
    pf_free(ctx, e->run.ptr);
    pf_plan_free(&e->plan, &e->g);
    pf_graph_free(&e->g);
    memset(e, 0, sizeof *e);
}

enum { BF16_NAN = 0x7FC0 };
/* Overwrites with NaN the values whose last use is node i. */
static void poison_dead(pf_exec *e, uint32_t i)
{
    for (uint32_t id = 1; id < e->g.values; id++) {
        if (e->plan.last[id] != i || e->plan.offset[id] == SIZE_MAX) continue;
        const pf_value *v = &e->g.value[id];
        const int64_t n = pf_shape_count(&v->shape);
        for (int64_t k = 0; k < n; k++) {
            if (v->type == PK_BF16) ((uint16_t *)(void *)e->run.ptr[id])[k] = BF16_NAN;
            else e->run.ptr[id][k] = (pk_real)NAN;
        }
    }
}

void pf_exec_run(pf_exec *e, uint32_t begin, uint32_t end)
{
    const bool traced = e->g.ctx->log && e->g.ctx->log_level >= PF_LOG_DEBUG;
    for (uint32_t i = begin; i < end; i++) {
        if (traced) pf_trace_node(e, i);
        else e->g.node[i].op->run(&e->run, &e->g.node[i]);
        if (e->g.spec.flags & PF_PLAN_NAIVE) poison_dead(e, i);
    }
}

pk_real *pf_exec_data(const pf_exec *e, pf_val v) { return e->run.ptr[v.id]; }
