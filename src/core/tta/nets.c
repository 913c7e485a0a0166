/* SPDX-License-Identifier: Apache-2.0
 * nets.c -- compiles the two graphs of an adaptor, net and source (adaptor.h), finds their taps, and plans the arena
 * that they share, one at a time. */
#include <string.h>
#include "core/graph/loss/loss.h"
#include "core/tta/adaptor.h"

static pf_param *find_tensor(const void *user, const char *name)
{
    return pf_params_find(&((const peft_adaptor *)user)->params, name);
}

void pf_tta_keep(pf_graph *g, pf_val v) { if (!g->status && pf_exists(v)) pf_v(g, v)->keep = true; }

/* Records the tap at this site, if there is one. */
static void find_tap(const peft_adaptor *a, pf_val *taps, pf_graph *g, const peft_site *s)
{
    const int64_t depth = a->model->backbone->shape.depth;
    const bool final = s->where == PEFT_POOL;
    pf_val v = s->out;
    if (a->taps == PF_TTA_NO_TAPS) return;
    if (!final && !(s->where == PEFT_NORM && s->role == PEFT_NORM1 && s->layer > 0)) return;
    if (final && !g->status && pf_cols(g, v) != a->model->backbone->shape.width) {
        pf_graph_fail(g, pf_fail(PEFT_E_UNSUPPORTED, "kind=%s compares the pooled feature with tokens, but it has %lld "
                                 "columns and a token %lld (pool=%s): expected a model with pool=cls or pool=mean",
                                 a->kind->name, (long long)pf_cols(g, v), (long long)a->model->backbone->shape.width,
                                 pf_feature_name(a->model->pool)));
        return;
    }
    if (!final && a->taps == PF_TTA_CLASS_TOKEN) v = peft_sys_take_rows(g, v, a->class_row.row, 1);
    pf_tta_keep(g, v);
    taps[final ? depth - 1 : s->layer - 1] = v;
}

static void before(void *user, pf_graph *g, peft_site *s)
{
    peft_adaptor *a = user;
    pf_class_row_before(&a->class_row, g, s);
    if (a->kind->before) a->kind->before(a, g, s);
}
static void after(void *user, pf_graph *g, peft_site *s)
{
    peft_adaptor *a = user;
    pf_class_row_after(&a->class_row, g, s);
    find_tap(a, a->tap, g, s);
}
static void before_source(void *user, pf_graph *g, peft_site *s)
{
    pf_class_row_before(&((peft_adaptor *)user)->class_row, g, s);
}
static void after_source(void *user, pf_graph *g, peft_site *s)
{
    peft_adaptor *a = user;
    pf_class_row_after(&a->class_row, g, s);
    find_tap(a, a->source_tap, g, s);
}
static pf_val batch_norm(void *user, pf_graph *g, const pf_val *in, double eps, bool relu)
{
    peft_adaptor *a = user;
    return a->batch_norm(a, g, in, eps, relu);
}
static void finish(void *user, pf_graph *g, pf_val logits)
{
    peft_adaptor *a = user;
    if (a->kind->finish) a->kind->finish(a, g, logits);
}

pf_val pf_tta_constant(pf_graph *g, pk_real *data, int64_t count)
{
    const pf_val v = pf_value_new(g, PF_CONST, pf_shape_of(1, count));
    if (!pf_exists(v)) return v;
    pf_v(g, v)->type = PK_REAL;
    pf_v(g, v)->data = data;
    pf_v(g, v)->buffer = true;
    return v;
}

void pf_tta_add_discrepancy(peft_adaptor *a, pf_graph *g, double weight, const char *kind)
{
    const int64_t depth = a->model->backbone->shape.depth, width = a->model->backbone->shape.width;
    for (int64_t l = 0; l < depth && !g->status; l++) {
        const pf_val mean = pf_tta_constant(g, a->statistics.mean_real + l * width, width),
            deviation = pf_tta_constant(g, a->statistics.deviation_real + l * width, width);
        pf_loss_add(g, peft_sys_discrepancy(g, a->tap[l], mean, deviation, kind), weight / (double)depth);
    }
}

/* Compiles one of the graphs and what it needs to run on fewer images. */
static peft_status compile(pf_compiled *c, pf_extents *e, const pf_net_spec *spec)
{
    PF_TRY(pf_extents_compile(e, c, spec));
    if (e->count) return PEFT_OK;
    /* The graph for one image more, which pf_extents_find built last, has another structure, and the taps and values
     * that the overlay recorded are those of that graph: build the first one again, so that they are its own. */
    pf_compiled_free(c);
    return pf_compiled_create(c, spec);
}

/* PEFT_E_UNSUPPORTED: a method of the model has a network of its own, which has no taps, or the head reads blocks, so
 * that there is no value of the last one. */
static peft_status check_taps(const peft_adaptor *a)
{
    const peft_model *m = a->model;
    if (a->taps && m->head->reads == PF_READS_BLOCKS)
        return pf_fail(PEFT_E_UNSUPPORTED, "kind=%s compares the feature that the head reads, and head %s reads the "
                       "tokens of several blocks; expected another kind or head", a->kind->name, m->head->name);
    for (size_t i = 0; i < m->adapters && a->taps; i++)
        if (m->adapter[i]->method->network)
            return pf_fail(PEFT_E_UNSUPPORTED, "kind=%s compares features of the backbone's blocks, and method '%s' "
                           "makes the logits by a network of its own; expected another kind or method", a->kind->name,
                           m->adapter[i]->method->name);
    return PEFT_OK;
}

/* s, the status of a compilation; PEFT_E_UNSUPPORTED if it failed because of the shapes of the model's adapters. */
static peft_status check_fit(const peft_adaptor *a, peft_status s)
{
    if (s != PEFT_E_SHAPE || !a->model->adapters) return s;
    for (size_t i = 0; i < a->model->adapters; i++)
        if (!strcmp(a->model->adapter[i]->method->name, "ept"))
            return pf_prefix_error(PEFT_E_UNSUPPORTED, "kind=%s does not fit the model: method 'ept' has logits for a "
                                   "fixed number of tokens, and this kind adds some; choose another kind",
                                   a->kind->name);
    return pf_prefix_error(PEFT_E_UNSUPPORTED, "kind=%s does not fit the model's adapters", a->kind->name);
}

static size_t maximum(size_t x, size_t y) { return x > y ? x : y; }

peft_status pf_tta_compile(peft_adaptor *a)
{
    pf_compile_spec wanted = { .batch = a->batch, .name = a->kind->title ? a->kind->title(a) : a->kind->name };
    PF_TRY(check_taps(a));
    PF_TRY(pf_tta_compile_options(a, &wanted));
    a->overlay = (pf_overlay){ .find = find_tensor, .before = before, .after = after, .finish = finish,
                               .batch_norm = a->batch_norm ? batch_norm : NULL, .trains = a->kind->trains, .user = a };
    a->source_overlay = (pf_overlay){ .before = before_source, .after = after_source, .user = a };
    const pf_net_spec net = { .model = a->model, .overlay = &a->overlay, .keep_feature = true,
                              .compile = pf_engine_spec(&a->engine, wanted) };
    pf_net_spec source = net;
    source.overlay = &a->source_overlay;
    source.compile.name = "source";
    PF_TRY(check_fit(a, compile(&a->net, &a->extents, &net)));
    if (a->taps) PF_TRY(compile(&a->source, &a->source_extents, &source));
    a->arena_bytes = maximum(pf_exec_bytes(&a->net.exec), a->taps ? pf_exec_bytes(&a->source.exec) : 0);
    a->arena = pf_alloc_zero(a->ctx, a->arena_bytes);
    if (!a->arena) return pf_nomem("arena", a->arena_bytes);
    PF_TRY(pf_exec_bind(&a->net.exec, a->arena));
    if (a->taps) PF_TRY(pf_exec_bind(&a->source.exec, a->arena));
    return PEFT_OK;
}
