/* SPDX-License-Identifier: Apache-2.0
 * constants.c -- the named constants of adapters (constants.h), and the functions of peft/sys/method.h that make values
 * of them and of the backbone's tensors, and that keep values by name. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/base/tensor.h"
#include "core/graph/constants.h"

enum { NAME_SIZE = sizeof ((pf_constant *)0)->name };

peft_status pf_constants_init(pf_constants *c)
{
    *c = (pf_constants){ 0 };
    if (!pthread_mutex_init(&c->lock, NULL)) return PEFT_OK;
    return pf_nomem("lock of constants", sizeof c->lock);
}

void pf_constants_free(pf_constants *c, peft_context *ctx)
{
    for (pf_constant *k = c->first, *next; k; k = next) {
        next = k->next;
        pf_free(ctx, k);
    }
    pthread_mutex_destroy(&c->lock);
}

size_t pf_constants_bytes(pf_constants *c)
{
    pthread_mutex_lock(&c->lock);
    const size_t bytes = c->bytes;
    pthread_mutex_unlock(&c->lock);
    return bytes;
}

/* Finds the constant of this name, or makes and fills it. The caller holds the lock. */
static peft_status find_or_make(pf_constants *c, peft_context *ctx, const char *name, const pf_shape *shape,
                                peft_fill_fn fill, void *user, pf_constant **out)
{
    const int64_t count = pf_shape_count(shape);
    pf_constant **place = &c->first;                     /* points to the link to the constant, or to the last, NULL */
    while (*place && strcmp((*place)->name, name)) place = &(*place)->next;
    if (*place && !pf_shape_equal(&(*place)->shape, shape))
        return pf_fail(PEFT_E_SHAPE, "peft_sys_constant '%s': made before with other extents", name);
    if (!*place) {
        const size_t header = pf_align_up(sizeof(pf_constant));
        const size_t bytes = header + (size_t)count * sizeof(pk_real);
        pf_constant *k = pf_alloc_zero(ctx, bytes);
        if (!k) return pf_nomem(name, bytes);
        k->data = (pk_real *)(void *)((char *)k + header);
        k->shape = *shape;
        snprintf(k->name, sizeof k->name, "%s", name);
        fill(user, k->data, count);
        c->bytes += bytes;
        *place = k;
    }
    *out = *place;
    return PEFT_OK;
}

pf_val peft_sys_constant(peft_build *g, const int64_t *dims, peft_fill_fn fill, void *user, const char *format, ...)
{
    char name[NAME_SIZE];
    va_list ap;
    pf_shape s = { 0 };
    pf_constant *k = NULL;
    bool fits = true;
    if (g->status) return PF_NONE;
    va_start(ap, format);
    const int length = vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    if (length >= NAME_SIZE)
        return pf_graph_fail(g, pf_fail(PEFT_E_INVALID,
                                        "peft_sys_constant '%.40s..': the name has %d bytes, expected at "
                                        "most %d", name, length, NAME_SIZE - 1));
    for (; *dims && s.ndim < PF_MAX_RANK; dims++) {
        fits &= *dims >= 1;
        s.dim[s.ndim++] = *dims;
    }
    if (!fits || *dims || !s.ndim || pf_dims_count(s.ndim, s.dim) < 0
        || pf_dims_count(s.ndim, s.dim) > (int64_t)(SIZE_MAX / 2 / sizeof(pk_real)))
        return pf_graph_fail(g, pf_fail(PEFT_E_SHAPE, "peft_sys_constant '%s': expected 1 to %d extents of 1 or more",
                                        name,
                                        PF_MAX_RANK));
    if (!fill || !g->constants)
        return pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "peft_sys_constant '%s': %s", name, fill
                                        ? "only a method that a "
                                        "model uses can make constants" : "fill is NULL: expected a function"));
    pthread_mutex_lock(&g->constants->lock);
    const peft_status status = find_or_make(g->constants, g->ctx, name, &s, fill, user, &k);
    pthread_mutex_unlock(&g->constants->lock);
    if (status) return pf_graph_fail(g, status);
    const pf_val v = pf_value_new(g, PF_CONST, s);
    if (!pf_exists(v)) return v;
    pf_v(g, v)->type = PK_REAL;
    pf_v(g, v)->data = k->data;
    pf_v(g, v)->name = k->name;
    return v;
}

/* The model's tensor of the name that format makes, which is written to name. PF_NONE: no such tensor. */
static pf_val find_weight(pf_graph *g, char name[NAME_SIZE], const char *format, va_list ap)
{
    if (g->status) return PF_NONE;
    vsnprintf(name, NAME_SIZE, format, ap);
    return g->weight ? g->weight(g->model, g, name) : PF_NONE;
}

pf_val peft_sys_weight(peft_build *g, const char *format, ...)
{
    char name[NAME_SIZE];
    va_list ap;
    va_start(ap, format);
    const pf_val v = find_weight(g, name, format, ap);
    va_end(ap);
    if (pf_exists(v) || g->status) return v;
    return pf_graph_fail(g, pf_fail(PEFT_E_NOTFOUND, "peft_sys_weight: the backbone has no tensor '%s'", name));
}

bool peft_sys_has_weight(peft_build *g, const char *format, ...)
{
    char name[NAME_SIZE];
    va_list ap;
    va_start(ap, format);
    const pf_val v = find_weight(g, name, format, ap);
    va_end(ap);
    return pf_exists(v);
}

/* The value of this name that the current adapter keeps; NULL: none. */
static pf_named_value *find_named(pf_graph *g, const char *name)
{
    for (int i = 0; i < g->named_count; i++)
        if (g->named[i].owner == g->constants && !strcmp(g->named[i].name, name)) return &g->named[i];
    return NULL;
}

void peft_sys_set_value(peft_build *g, const char *name, pf_val x)
{
    if (g->status) return;
    if (!name) {
        pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "peft_sys_set_value: name is NULL, expected a text"));
        return;
    }
    pf_named_value *v = find_named(g, name);
    if (!v && (g->named_count == PF_NAMED_MAX || strlen(name) >= sizeof v->name)) {
        pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "peft_sys_set_value '%s': expected at most %d names in a graph, of at "
                                 "most %d characters", name, PF_NAMED_MAX, (int)sizeof v->name - 1));
        return;
    }
    if (!v) {
        v = &g->named[g->named_count++];
        v->owner = g->constants;
        strcpy(v->name, name);
    }
    v->value = x;
}

pf_val peft_sys_value(peft_build *g, const char *name)
{
    const pf_named_value *v = g->status || !name ? NULL : find_named(g, name);
    return v ? v->value : PF_NONE;
}

/* The backbone's norm before block 0 (final false) or after the last one, as `function` of peft/sys/method.h. */
static pf_val backbone_norm(pf_graph *g, pf_val x, bool final, const char *function)
{
    if (g->status) return PF_NONE;
    if (!g->norm) return pf_graph_fail(g, pf_fail(PEFT_E_STATE, "%s: expected a call in emit or network", function));
    if (final && g->in_final_norm)
        return pf_graph_fail(g, pf_fail(PEFT_E_STATE, "%s: a method called it at the site of this norm, NORM with role "
                                        "FINAL; expected a call at another site", function));
    pf_constants *const constants = g->constants;        /* at the norm's site other adapters may run */
    const bool outer = g->in_final_norm;
    g->in_final_norm = outer || final;
    const pf_val y = g->norm(g->pass, x, final);
    g->in_final_norm = outer;
    g->constants = constants;
    return y;
}

pf_val peft_sys_final_norm(peft_build *g, pf_val x) { return backbone_norm(g, x, true, "peft_sys_final_norm"); }
pf_val peft_sys_pre_norm(peft_build *g, pf_val x) { return backbone_norm(g, x, false, "peft_sys_pre_norm"); }
