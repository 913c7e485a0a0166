/* SPDX-License-Identifier: Apache-2.0
 * create.c -- makes case pools: options, shape, initial values, notes (<peft/case_pool.h>). */
#include <math.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/cases/case_pool.h"

const pf_opt pf_case_options[] = {
    { "hidden", 'i', "64", 1, 65536, "length of the attention's hidden layer" },
    { "gated", 'b', "true", 0, 0, "gated attention (eq. 9); false: without a gate (eq. 8)" },
    { "loss", 's', "ce", 0, 0, "ce: one label for each case (softmax); bce: several (sigmoids)" },
    { "epochs", 'i', "200", 0, 1e9, "updates of a training, each on all cases" },
    { "lr", 'f', "0.003", 0, 1e3, "learning rate at the start; it falls to 0 as a cosine" },
    { "weight_decay", 'f', "0.01", 0, 1e3, "weight decay of AdamW, of all parameters but the bias" },
    { "seed", 'i', "1", 0, 9e15, "seed of the initial values" },
    { "threads", 'i', "0", 0, 4096, "number of threads; 0: the context's" },
    { 0 } };
const peft_option *peft_case_pool_option(size_t i) { return pf_option_at(pf_case_options, i); }

enum { MOST_WIDTH = 1 << 20, MOST_CLASSES = 1 << 20 };        /* products of extents fit in int64_t */

int64_t pf_case_count(const pf_case_shape *s)
{
    return s->width * s->hidden * (s->gated ? 2 : 1) + s->hidden + s->classes * s->width + s->classes;
}

pf_case_params pf_case_params_in(const pf_case_shape *s, double *block)
{
    const int64_t matrix = s->width * s->hidden;
    pf_case_params p = { .v = block, .u = s->gated ? block + matrix : NULL };
    p.w = block + (s->gated ? 2 : 1) * matrix;
    p.c = p.w + s->hidden;
    p.b = p.c + s->classes * s->width;
    return p;
}

/* Glorot's uniform distribution: within sqrt(6 / (inputs + outputs)). */
static void draw(double *to, int64_t count, int64_t inputs, int64_t outputs, uint64_t seed, uint32_t purpose)
{
    const pf_rng r = { .seed = seed, .a = pf_rng_stream("case_pool"), .b = purpose };
    const double bound = sqrt(6.0 / (double)(inputs + outputs));
    for (int64_t i = 0; i < count; i++) to[i] = bound * (2 * pf_rng_uniform(&r, (uint64_t)i) - 1);
}

void pf_case_initialise(peft_case_pool *p)
{
    enum { OF_V, OF_U, OF_W, OF_C };
    const pf_case_shape *s = &p->shape;
    const uint64_t seed = (uint64_t)pf_options_int(p->options, pf_case_options, "seed");
    const pf_case_params q = pf_case_params_in(s, p->values);
    draw(q.v, s->width * s->hidden, s->width, s->hidden, seed, OF_V);
    if (q.u) draw(q.u, s->width * s->hidden, s->width, s->hidden, seed, OF_U);
    draw(q.w, s->hidden, s->hidden, 1, seed, OF_W);
    draw(q.c, s->classes * s->width, s->width, s->classes, seed, OF_C);
    memset(q.b, 0, (size_t)s->classes * sizeof *q.b);
    for (int64_t d = 0; d < s->width; d++) p->shift[d] = 0, p->scale[d] = 1;
    p->epochs = 0;
}

/* Reads the options into p. */
static peft_status read_options(peft_case_pool *p, const peft_options *o)
{
    const char *loss;
    PF_TRY(pf_options_check(o, pf_case_options, "a case pool"));
    if (o) PF_TRY(pf_options_copy(o, &p->options));
    else PF_TRY(peft_options_create(p->ctx, &p->options));
    loss = pf_options_string(p->options, pf_case_options, "loss");
    if (strcmp(loss, "ce") && strcmp(loss, "bce"))
        return pf_fail(PEFT_E_OPTION, "a case pool: option 'loss' is '%.60s', expected ce or bce", loss);
    p->shape.hidden = pf_options_int(p->options, pf_case_options, "hidden");
    p->shape.gated = pf_options_int(p->options, pf_case_options, "gated");
    p->shape.multilabel = *loss == 'b';
    return PEFT_OK;
}

static peft_status fill(peft_case_pool *p, const peft_options *o)
{
    PF_TRY(read_options(p, o));
    const size_t width = (size_t)p->shape.width;
    const size_t bytes = ((size_t)pf_case_count(&p->shape) + 2 * width) * sizeof(double);
    p->values = pf_alloc(p->ctx, bytes);
    if (!p->values) return pf_nomem("case pool", bytes);
    p->shift = p->values + pf_case_count(&p->shape);
    p->scale = p->shift + width;
    pf_case_initialise(p);
    return pf_engine_start(&p->engine, p->ctx, pf_options_int(p->options, pf_case_options, "threads"));
}

peft_status peft_case_pool_create(peft_context *ctx, int64_t width, int64_t classes, const peft_options *o,
                                  peft_case_pool **out)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_case_pool_create";
    if (!ctx || !out) return pf_fail(PEFT_E_INVALID, "%s: %s is NULL", who, ctx ? "out" : "ctx");
    if (width < 1 || width > MOST_WIDTH || classes < 1 || classes > MOST_CLASSES)
        return pf_fail(PEFT_E_INVALID, "%s: given width %lld and classes %lld, expected 1 to %d and 1 to %d", who,
                       (long long)width, (long long)classes, MOST_WIDTH, MOST_CLASSES);
    peft_case_pool *p = pf_alloc_zero(ctx, sizeof *p);
    if (!p) return pf_nomem("case pool", sizeof *p);
    p->ctx = pf_context_retain(ctx);
    p->shape.width = width;
    p->shape.classes = classes;
    const peft_status s = fill(p, o);
    if (s) peft_case_pool_free(p);
    else *out = p;
    return s;
}

void peft_case_pool_free(peft_case_pool *p)
{
    if (!p) return;
    peft_context *ctx = p->ctx;
    if (p->engine.ctx) pf_engine_stop(&p->engine);
    peft_options_free(p->options);
    pf_notes_free(&p->notes, ctx);
    pf_free(ctx, p->values);
    pf_free(ctx, p);
    peft_context_free(ctx);
}

int64_t peft_case_pool_get(const peft_case_pool *p, const char *name)
{
    if (!p || !name) return -1;
    const struct { const char *name; int64_t value; } figure[] = {
        { "width", p->shape.width }, { "classes", p->shape.classes }, { "hidden", p->shape.hidden },
        { "gated", p->shape.gated }, { "multi_label", p->shape.multilabel },
        { "parameters", pf_case_count(&p->shape) }, { "epochs", p->epochs } };
    for (size_t i = 0; i < sizeof figure / sizeof *figure; i++)
        if (!strcmp(figure[i].name, name)) return figure[i].value;
    return -1;
}

double *peft_case_pool_values(peft_case_pool *p) { return p ? p->values : NULL; }

peft_status peft_case_pool_set_note(peft_case_pool *p, const char *key, const char *value)
{
    if (!p) return pf_fail(PEFT_E_INVALID, "peft_case_pool_set_note: p is NULL");
    return pf_notes_set(&p->notes, p->ctx, key, value);
}

const char *peft_case_pool_note(const peft_case_pool *p, const char *key)
{
    return p && key ? pf_notes_get(&p->notes, key) : NULL;
}
