/* SPDX-License-Identifier: Apache-2.0
 * extents.c -- finds the numbers of a compiled graph that are multiples of its batch size, and sets them to another
 * one. / */
#include "core/train/extents.h"
#include <string.h>

enum { EVERY = 1024 };                   /* up to this many samples scratch is worked out for each batch size */

typedef struct { int64_t batch; pf_extent *item; size_t count; } walk;

/* b is what a is for one sample more: the same, or the same multiple of the batch. */
static bool number(walk *w, int64_t *a, int64_t b)
{
    const int64_t each = *a / w->batch;
    if (*a == b) return true;
    if (each * w->batch != *a || each * (w->batch + 1) != b) return false;
    if (w->item) w->item[w->count] = (pf_extent){ a, each };
    w->count++;
    return true;
}

static bool shapes(walk *w, pf_shape *a, const pf_shape *b)
{
    bool same = a->ndim == b->ndim;
    for (int i = 0; i < a->ndim && same; i++) same = number(w, &a->dim[i], b->dim[i]);
    return same;
}

static bool values(walk *w, pf_value *a, const pf_value *b)
{
    return a->kind == b->kind && a->slot == b->slot && a->type == b->type && a->data == b->data && a->param == b->param
        && a->offset == b->offset && pf_eq(a->view_of, b->view_of) && a->col == b->col && a->given == b->given
        && a->keep == b->keep && shapes(w, &a->shape, &b->shape);
}

static bool nodes(walk *w, pf_node *a, const pf_node *b)
{
    bool same = a->op == b->op && a->backward == b->backward && a->attr.ptr == b->attr.ptr
             && !memcmp(a->attr.f, b->attr.f, sizeof a->attr.f) && shapes(w, &a->attr.shape, &b->attr.shape);
    for (int i = 0; i < PF_MAX_IN && same; i++) same = pf_eq(a->in[i], b->in[i]);
    for (int i = 0; i < PF_MAX_OUT && same; i++) same = pf_eq(a->out[i], b->out[i]);
    for (int i = 0; i < 4 && same; i++) same = number(w, &a->attr.i[i], b->attr.i[i]);
    return same;
}

static bool graphs(walk *w, pf_graph *a, const pf_graph *b)
{
    bool same = a->values == b->values && a->nodes == b->nodes && number(w, &a->batch, b->batch);
    for (uint32_t i = 1; i < a->values && same; i++) same = values(w, &a->value[i], &b->value[i]);
    for (uint32_t i = 0; i < a->nodes && same; i++) same = nodes(w, &a->node[i], &b->node[i]);
    return same;
}

static void resize(const pf_extents *e, int64_t n)
{
    for (size_t i = 0; i < e->count; i++) *e->item[i].at = e->item[i].each * n;
}

/* A smaller product may take more scratch: its sums over k are cut otherwise. */
static void plan_scratch(pf_extents *e, int64_t batch)
{
    pf_exec *x = &e->of->exec;
    const int64_t step = batch > EVERY ? batch / EVERY : 1;
    for (int64_t n = 1; n < batch; n += n < EVERY ? 1 : step) {
        resize(e, n);
        size_t need = pf_plan_work(&x->g, &x->run);
        if (need > x->plan.work) x->plan.work = need;
    }
    resize(e, batch);
}

peft_status pf_extents_find(pf_extents *e, pf_compiled *of, const pf_net_spec *spec)
{
    pf_net_spec more = *spec;
    pf_compiled other;
    walk count = { .batch = of->batch };
    *e = (pf_extents){ .of = of };
    more.compile.batch++;
    more.compile.memory_limit = 0;       /* it is never run */
    PF_TRY(pf_compiled_create(&other, &more));
    peft_status s = PEFT_OK;
    if (graphs(&count, &of->exec.g, &other.exec.g)) {
        walk fill = { .batch = of->batch, .item = pf_alloc(of->exec.g.ctx, count.count * sizeof *e->item) };
        if (!fill.item) s = pf_nomem("batch sizes", count.count * sizeof *e->item);
        else graphs(&fill, &of->exec.g, &other.exec.g);
        e->item = fill.item;
        e->count = fill.count;
    }
    pf_compiled_free(&other);
    if (e->count) plan_scratch(e, of->batch);
    return s ? s : pf_exec_check_limit(&of->exec);
}

void pf_extents_free(pf_extents *e, peft_context *ctx)
{
    pf_free(ctx, e->item);
    *e = (pf_extents){ 0 };
}

bool pf_extents_set(pf_extents *e, int64_t n)
{
    const pf_exec *x = &e->of->exec;
    const int64_t now = x->g.batch;
    if (n == now) return true;
    if (!e->count) return false;
    resize(e, n);
    if (pf_plan_work(&x->g, &x->run) <= x->plan.work) return true;
    resize(e, now);
    return false;
}
