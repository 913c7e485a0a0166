/* SPDX-License-Identifier: Apache-2.0
 * adapter.c -- creates an adapter, for which the method's init runs; counts its references; its parameters and buffers
 * by index and name. */
#include <stdio.h>
#include <string.h>
#include "core/adapt/adapter.h"

/* The error for a method that ctx does not have. Its message lists the methods (the first 64, as far as the text has
 * space), and proposes one of a similar name. */
static peft_status unknown_method(const peft_context *ctx, const char *name)
{
    const char *known[64], *near;
    const peft_method *m;
    char list[600] = "";
    size_t n = 0, used = 0;
    while (n < 64 && (m = peft_sys_method(ctx, n))) known[n++] = m->name;
    for (size_t i = 0; i < n && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", known[i]);
    near = pf_nearest(name, known, n);
    return pf_fail(PEFT_E_NOTFOUND, "method '%.100s' is neither built in nor registered on this context%s%s%s; "
                   "expected one of %s; a method of your own must be registered first (peft_sys_register_method)", name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", list);
}

peft_vit pf_vit_of(const pf_vit_shape *s)
{
    return (peft_vit){ .width = s->width, .depth = s->depth, .heads = s->heads, .mlp = s->mlp,
                     .fc1 = s->gate ? 2 * s->mlp : s->mlp, .tokens = pf_vit_tokens(s), .prefix = pf_vit_prefix(s),
                     .image = s->image.h == s->image.w ? s->image.h : -1, .patch_values = 3 * s->patch * s->patch };
}

/* Makes the adapter and runs the method's init on it. */
peft_status pf_adapter_make(peft_backbone *b, const char *method, const peft_options *o, pf_source *source,
                            peft_adapter **out)
{
    static const pf_opt no_options[] = { { 0 } };
    const peft_method *m = pf_method_find(b->ctx, method);
    char who[80];
    if (!m) return unknown_method(b->ctx, method);
    snprintf(who, sizeof who, "method '%s'", m->name);
    PF_TRY(pf_options_check(o, m->opts ? m->opts : no_options, who));
    peft_adapter *a = pf_alloc_zero(b->ctx, sizeof *a);
    if (!a) return pf_nomem("adapter", sizeof *a);
    peft_status lock_status = pf_constants_init(&a->constants);
    if (!lock_status) {
        lock_status = pf_rwlock_init(&a->lock, "adapter");
        if (lock_status) pf_constants_free(&a->constants, b->ctx);
    }
    if (lock_status) {
        pf_free(b->ctx, a);
        return lock_status;
    }
    atomic_init(&a->refs, 1);
    a->backbone = pf_backbone_retain(b);
    a->method = m;
    a->skip_init = source != NULL;
    a->source = source;
    peft_status s = o ? pf_options_copy(o, &a->options) : PEFT_OK;
    if (!s && m->state_size && !(a->state = pf_alloc_zero(b->ctx, m->state_size)))
        s = pf_nomem("method state", m->state_size);
    const peft_vit vit = pf_vit_of(&b->shape);
    a->in_init = true;
    if (!s) s = m->init(a, &vit);
    pf_patterns_check(a);
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
    pf_source *no_file = NULL;
    return pf_adapter_make(b, method, o, no_file, out);
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
    pf_params_free(b->ctx, &a->buffers);
    pf_constants_free(&a->constants, b->ctx);
    pf_rwlock_destroy(&a->lock);
    peft_options_free(a->options);
    pf_free(b->ctx, a->state);
    pf_free(b->ctx, a);
    peft_backbone_free(b);
}

const char *peft_adapter_method(const peft_adapter *a) { return a ? a->method->name : NULL; }
const peft_option *peft_adapter_option(const peft_adapter *a, size_t i)
{
    return a ? pf_option_at(a->method->opts, i) : NULL;
}

/* The value given, else the default; NULL: the method has no such option. */
const char *peft_adapter_option_value(const peft_adapter *a, const char *option)
{
    const pf_opt *o = a && option ? a->method->opts : NULL;
    while (o && o->name && strcmp(o->name, option)) o++;
    return o && o->name ? pf_options_string(a->options, o, option) : NULL;
}

int64_t peft_adapter_trainable_count(const peft_adapter *a)
{
    int64_t n = 0;
    for (size_t i = 0; a && i < a->params.count; i++) n += peft_tensor_count(&a->params.item[i]->value);
    return n;
}

size_t peft_adapter_param_count(const peft_adapter *a) { return a ? a->params.count : 0; }
peft_param *peft_adapter_param(peft_adapter *a, size_t i)
{
    return a && i < a->params.count ? a->params.item[i] : NULL;
}

size_t peft_adapter_buffer_count(const peft_adapter *a) { return a ? a->buffers.count : 0; }
const char *peft_adapter_buffer_name(const peft_adapter *a, size_t i)
{
    return a && i < a->buffers.count ? a->buffers.item[i]->name : NULL;
}

peft_tensor *peft_adapter_find_buffer(peft_adapter *a, const char *name)
{
    pf_param *p = a && name ? pf_params_find(&a->buffers, name) : NULL;
    return p ? &p->value : NULL;
}

const pf_vit_shape *pf_adapter_network(const peft_adapter *a, const char *scope)
{
    for (int i = 0; i < a->networks; i++) if (!strcmp(a->network[i].scope, scope)) return &a->network[i].shape;
    return NULL;
}
