/* SPDX-License-Identifier: Apache-2.0
 * extents.c -- finds the numbers of a compiled graph that are multiples of its batch size, and sets them for another
 * one. */
#include "core/train/extents.h"
#include <string.h>

/* plan_scratch tries every batch size up to TRY_ALL, and above only every (batch / TRY_ALL)-th: about TRY_ALL sizes. */
enum { TRY_ALL = 1024 };

/* A comparison of graph a with graph b, which was compiled for one sample more. batch: the number of samples of a.
 * item: receives the numbers that depend on batch; NULL: they are counted and not stored. */
typedef struct { int64_t batch; pf_extent *item; size_t count; } comparison;

/* Compares *a with b, the number at the same place of the other graph. true: they are equal, or the same multiple of
 * the two batch sizes, such as *a = 3 * batch and b = 3 * (batch + 1). */
static bool compare_number(comparison *c, int64_t *a, int64_t b)
{
    const int64_t per_sample = *a / c->batch;
    if (*a == b) return true;
    if (per_sample * c->batch != *a || per_sample * (c->batch + 1) != b) return false;
    if (c->item) c->item[c->count] = (pf_extent){ a, per_sample };
    c->count++;
    return true;
}

static bool compare_shapes(comparison *c, pf_shape *a, const pf_shape *b)
{
    bool same = a->ndim == b->ndim;
    for (int i = 0; i < a->ndim && same; i++) same = compare_number(c, &a->dim[i], b->dim[i]);
    return same;
}

static bool compare_values(comparison *c, pf_value *a, const pf_value *b)
{
    return a->kind == b->kind && a->input_index == b->input_index && a->type == b->type && a->data == b->data
        && a->param == b->param && a->offset == b->offset && pf_eq(a->view_of, b->view_of) && a->col == b->col
        && a->from_caller == b->from_caller && a->keep == b->keep && compare_shapes(c, &a->shape, &b->shape);
}

static bool compare_nodes(comparison *c, pf_node *a, const pf_node *b)
{
    bool same = a->op == b->op && a->backward == b->backward && a->attr.ptr == b->attr.ptr
             && !memcmp(a->attr.f, b->attr.f, sizeof a->attr.f) && compare_shapes(c, &a->attr.shape, &b->attr.shape);
    for (int i = 0; i < PF_MAX_IN && same; i++) same = pf_eq(a->in[i], b->in[i]);
    for (int i = 0; i < PF_MAX_OUT && same; i++) same = pf_eq(a->out[i], b->out[i]);
    const int numbers = sizeof a->attr.i / sizeof *a->attr.i;
    for (int i = 0; i < numbers && same; i++) same = compare_number(c, &a->attr.i[i], b->attr.i[i]);
    return same;
}

/* true: the graphs have the same structure, and differ only in multiples of the batch size. */
/* Compares all numbers of two graphs. Neither has a memory plan yet: offset, col and from_caller of a value say which
 * part of a parameter or of a wider value it is, and whether the caller fills it (pf_value). */
static bool compare_graphs(comparison *c, pf_graph *a, const pf_graph *b)
{
    bool same = a->values == b->values && a->nodes == b->nodes && compare_number(c, &a->batch, b->batch);
    for (uint32_t i = 1; i < a->values && same; i++)                  /* value 0 is PF_NONE */
        same = compare_values(c, &a->value[i], &b->value[i]);
    for (uint32_t i = 0; i < a->nodes && same; i++) same = compare_nodes(c, &a->node[i], &b->node[i]);
    return same;
}

/* Sets all numbers that depend on the batch size to those for n samples. */
static void resize(const pf_extents *e, int64_t n)
{
    for (size_t i = 0; i < e->count; i++) *e->item[i].number = e->item[i].per_sample * n;
}

/* Enlarges the plan's scratch to the largest that a smaller batch needs. A smaller batch may need more than the full
 * one: the sum over k of a matrix product with fewer rows is split into more parts. */
static void plan_scratch(pf_extents *e, int64_t batch)
{
    pf_exec *x = &e->net->exec;
    const int64_t step = batch > TRY_ALL ? batch / TRY_ALL : 1;
    for (int64_t n = 1; n < batch; n += n < TRY_ALL ? 1 : step) {
        resize(e, n);
        size_t need = pf_largest_scratch(&x->g, &x->run);
        if (need > x->plan.scratch_bytes) x->plan.scratch_bytes = need;
    }
    resize(e, batch);
}

peft_status pf_extents_find(pf_extents *e, pf_compiled *net, const pf_net_spec *spec)
{
    pf_net_spec larger = *spec;
    pf_compiled other;
    comparison count = { .batch = net->batch };
    *e = (pf_extents){ .net = net };
    larger.compile.batch++;
    larger.compile.memory_limit = 0;       /* the larger graph is never run */
    larger.compile.again = net->exec.g.again;
    larger.compile.agains = net->exec.g.agains;
    PF_TRY(pf_compiled_create(&other, &larger));
    peft_status s = PEFT_OK;
    if (compare_graphs(&count, &net->exec.g, &other.exec.g)) {         /* once to count, once to store */
        comparison fill = { .batch = net->batch, .item = pf_alloc(net->exec.g.ctx, count.count * sizeof *e->item) };
        if (!fill.item) s = pf_nomem("batch sizes", count.count * sizeof *e->item);
        else compare_graphs(&fill, &net->exec.g, &other.exec.g);
        e->item = fill.item;
        e->count = fill.count;
    }
    pf_compiled_free(&other);
    if (e->count) plan_scratch(e, net->batch);
    return s ? s : pf_exec_check_limit(&net->exec);
}

peft_status pf_extents_compile(pf_extents *e, pf_compiled *net, const pf_net_spec *spec)
{
    pf_net_spec attempt = *spec;
    attempt.compile.memory_limit = 0;
    PF_TRY(pf_compiled_create(net, &attempt));
    PF_TRY(pf_extents_find(e, net, &attempt));
    if (!spec->compile.memory_limit || pf_exec_bytes(&net->exec) <= spec->compile.memory_limit) return PEFT_OK;
    attempt.compile.memory_limit = spec->compile.memory_limit;
    attempt.compile.least_scratch = net->exec.plan.scratch_bytes;
    pf_extents_free(e, net->exec.g.ctx);
    pf_compiled_free(net);
    PF_TRY(pf_compiled_create(net, &attempt));
    return pf_extents_find(e, net, &attempt);
}

void pf_extents_free(pf_extents *e, peft_context *ctx)
{
    pf_free(ctx, e->item);
    *e = (pf_extents){ 0 };
}

bool pf_extents_set(pf_extents *e, int64_t n)
{
    const pf_exec *x = &e->net->exec;
    const int64_t current = x->g.batch;
    if (n == current) return true;
    if (!e->count) return false;
    resize(e, n);
    if (pf_largest_scratch(&x->g, &x->run) <= x->plan.scratch_bytes) return true;  /* what was planned suffices */
    resize(e, current);
    return false;
}
