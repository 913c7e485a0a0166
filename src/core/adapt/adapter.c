/* SPDX-License-Identifier: Apache-2.0
 * adapter.c -- an adapter's life, and what peft/sys/method.h gives to a method's init. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/options/glob.h"
#include "core/adapt/adapter.h"

static peft_status unknown_method(const peft_context *ctx, const char *name)
{
    const char *known[64], *near;
    const peft_method *m;
    char list[600] = "";
    size_t n = 0, used = 0;
    while (n < 64 && (m = peft_context_method(ctx, n))) known[n++] = m->name;
    for (size_t i = 0; i < n && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", known[i]);
    near = pf_nearest(name, known, n);
    return pf_fail(PEFT_E_NOTFOUND, "method '%.100s' is neither the library's nor registered on this context%s%s%s; "
                   "known are %s; a method of your own is registered first (peft_context_register_method)", name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", list);
}

peft_vit pf_vit_of(const pf_vit_shape *s)
{
    return (peft_vit){ .width = s->width, .depth = s->depth, .heads = s->heads, .mlp = s->mlp,
                     .fc1 = s->swiglu ? 2 * s->mlp : s->mlp, .tokens = pf_vit_tokens(s), .prefix = pf_vit_prefix(s),
                     .image = s->image, .patch_values = 3 * s->patch * s->patch };
}

peft_status pf_adapter_make(peft_backbone *b, const char *method, const peft_options *o, pf_source *source,
                            peft_adapter **out)
{
    static const pf_opt none[] = { { 0 } };
    const peft_method *m = pf_method_find(b->ctx, method);
    char who[80];
    if (!m) return unknown_method(b->ctx, method);
    snprintf(who, sizeof who, "method '%s'", m->name);
    PF_TRY(pf_options_check(o, m->opts ? m->opts : none, NULL, who));
    peft_adapter *a = pf_alloc_zero(b->ctx, sizeof *a);
    if (!a) return pf_nomem("adapter", sizeof *a);
    atomic_init(&a->refs, 1);
    a->backbone = pf_backbone_retain(b);
    a->method = m;
    a->blank = source != NULL;
    a->source = source;
    peft_status s = o ? pf_options_copy(o, &a->options) : PEFT_OK;
    if (!s && m->state_size && !(a->state = pf_alloc_zero(b->ctx, m->state_size)))
        s = pf_nomem("method state", m->state_size);
    const peft_vit vit = pf_vit_of(&b->shape);
    a->making = true;
    if (!s) s = m->init(a, &vit);
    pf_patterns_end(a);
    a->source = NULL;
    if (!s) s = a->status;
    if (s) peft_adapter_free(a);
    else *out = a;
    return s;
}

peft_status peft_adapter_create(peft_backbone *b, const char *method, const peft_options *o, peft_adapter **out)
{
    PK_FLOAT_SCOPE;
    if (!b || !method || !out)
        return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !b ? "backbone" : !method ? "method" : "out");
    return pf_adapter_make(b, method, o, NULL, out);
}

peft_adapter *pf_adapter_retain(peft_adapter *a)
{
    atomic_fetch_add(&a->refs, 1);
    return a;
}

void peft_adapter_free(peft_adapter *a)
{
    if (!a || atomic_fetch_sub(&a->refs, 1) != 1) return;
    peft_backbone *b = a->backbone;
    pf_params_free(b->ctx, &a->params);
    peft_options_free(a->options);
    pf_free(b->ctx, a->state);
    pf_free(b->ctx, a);
    peft_backbone_free(b);
}

const char *peft_adapter_method(const peft_adapter *a) { return a ? a->method->name : NULL; }
size_t peft_adapter_param_count(const peft_adapter *a) { return a ? a->params.count : 0; }
peft_param *peft_adapter_param(peft_adapter *a, size_t i)
{
    return a && i < a->params.count ? a->params.item[i] : NULL;
}

/* --- peft/sys/method.h, the part for init ------------------------------------------------------------------------- */
void *peft_state(peft_adapter *a) { return a->state; }

/* The method's table; an option that is not in it is the method's own mistake, and joins the record of errors. */
static const pf_opt *table_for(const peft_adapter *a, const char *name)
{
    static const pf_opt none[] = { { 0 } };
    const pf_opt *table = a->method->opts ? a->method->opts : none, *o = table;
    while (o->name && strcmp(o->name, name)) o++;
    if (!o->name && !a->status)
        ((peft_adapter *)a)->status = pf_fail(PEFT_E_INVALID, "method '%s' asks for an option '%s': its table has none "
                                              "of this name", a->method->name, name);
    return table;
}

int64_t peft_opt_int(const peft_adapter *a, const char *name)
{
    return pf_options_int(a->options, table_for(a, name), name);
}
double peft_opt_float(const peft_adapter *a, const char *name)
{
    return pf_options_float(a->options, table_for(a, name), name);
}
const char *peft_opt_string(const peft_adapter *a, const char *name)
{
    return pf_options_string(a->options, table_for(a, name), name);
}

void peft_reject(peft_adapter *a, const char *option, const char *expected)
{
    if (a->status) return;
    a->status = pf_fail(PEFT_E_OPTION, "option '%s' of method '%s': given '%s', expected %s", option, a->method->name,
                        peft_opt_string(a, option), expected);
}

pf_param *peft_declare(peft_adapter *a, const int64_t *dims, const char *init, const char *format, ...)
{
    char name[128];
    int ndim = 0;
    pf_param *p = NULL;
    va_list ap;
    if (a->status) return NULL;
    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    while (ndim < PEFT_MAX_DIMS && dims[ndim]) ndim++;
    if (!ndim) {
        a->status = pf_fail(PEFT_E_SHAPE, "method '%s' declares '%s' without extents", a->method->name, name);
        return NULL;
    }
    if (pf_params_find(&a->params, name)) {
        a->status = pf_fail(PEFT_E_INVALID, "method '%s' declares '%s' twice", a->method->name, name);
        return NULL;
    }
    a->status = pf_source_holds(a->source, name, ndim, dims);
    if (!a->status)
        a->status = pf_param_make(a->backbone->ctx, &a->params, name, pf_param_group_of(name), ndim, dims, &p);
    if (!a->status && !a->blank) a->status = pf_param_draw(a->backbone->ctx, p, init);
    return p;
}

const char *peft_rule(peft_adapter *a, const char *kind, double size)
{
    char number[32];
    pf_print_float(number, sizeof number, size);
    snprintf(a->rule, sizeof a->rule, "%.16s:%s", kind, number);
    return a->rule;
}

void peft_fill_row_norms(peft_adapter *a, pf_param *p, const char *tensor, int64_t first)
{
    const peft_tensor *w = pf_backbone_find(a->backbone, tensor);
    if (a->status || !p) return;
    const int64_t rows = peft_tensor_count(&p->value);
    if (!w) a->status = pf_fail(PEFT_E_INVALID, "method '%s': row norms of '%s': the backbone has no such tensor",
                                a->method->name, tensor);
    else if (first < 0 || rows > w->dim[0] - first)
        a->status = pf_fail(PEFT_E_INVALID, "method '%s': row norms of '%s': rows %lld to %lld of %lld",
                            a->method->name, tensor, (long long)first, (long long)(first + rows - 1),
                            (long long)w->dim[0]);
    if (a->status || a->blank) return;
    const int64_t cols = peft_tensor_count(w) / w->dim[0];
    for (int64_t i = 0; i < rows; i++) {
        double sq;
        a->backbone->ctx->kernels->sums(NULL, &sq, (const pk_real *)w->data + (first + i) * cols, cols);
        ((pk_real *)p->value.data)[i] = (pk_real)sqrt(sq);
    }
}

void peft_unfreeze(peft_adapter *a, const char *pattern)
{
    for (size_t i = 0; i < a->backbone->weights && !a->status; i++) {
        const pf_weight *w = &a->backbone->weight[i];
        pf_param *p;
        if (pf_is_classifier(w->name) || !pf_glob(pattern, w->name) || pf_params_find(&a->params, w->name)) continue;
        a->status = pf_source_holds(a->source, w->name, w->tensor.ndim, w->tensor.dim);
        if (!a->status)
            a->status = pf_param_make(a->backbone->ctx, &a->params, w->name, pf_param_group_of(w->name), w->tensor.ndim,
                                      w->tensor.dim, &p);
        if (!a->status && !a->blank) memcpy(p->value.data, w->tensor.data, pf_tensor_bytes(&w->tensor));
    }
}

pf_param *peft_declared(peft_adapter *a, const char *name) { return pf_params_find(&a->params, name); }

const pf_vit_shape *pf_adapter_network(const peft_adapter *a, const char *scope)
{
    for (int i = 0; i < a->networks; i++) if (!strcmp(a->network[i].scope, scope)) return &a->network[i].shape;
    return NULL;
}

void peft_declare_vit(peft_adapter *a, const char *scope, const peft_vit *v, int64_t classes)
{
    const pf_vit_shape *b = &a->backbone->shape;
    pf_tensor_spec t;
    if (a->status) return;
    pf_vit_shape s = { .image = v->image, .patch = b->patch, .width = v->width, .depth = v->depth, .heads = v->heads,
                       .mlp = v->mlp, .classes = classes, .eps = b->eps, .act = b->act, .qkv_bias = true,
                       .patch_bias = true, .pos_prefix = true };
    a->status = a->networks == 2 ? pf_fail(PEFT_E_INTERNAL, "a method may declare two networks") : pf_shape_check(&s);
    if (a->status) return;
    a->network[a->networks].shape = s;
    snprintf(a->network[a->networks++].scope, sizeof a->network[0].scope, "%s", scope);
    for (size_t i = 0; pf_vit_tensor(&s, i, &t) && !a->status; i++) {
        int64_t dims[5] = { 0 };
        const bool bias = strstr(t.name, "bias"), norm = strstr(t.name, "norm");
        memcpy(dims, t.dim, sizeof(int64_t) * (size_t)t.ndim);
        peft_declare(a, dims, bias ? "zero" : norm ? "one" : "trunc_normal:0.02", "%s%s", scope, t.name);
    }
}

peft_status peft_done(peft_adapter *a) { return a->status; }
