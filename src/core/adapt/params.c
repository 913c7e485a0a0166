/* SPDX-License-Identifier: Apache-2.0
 * params.c -- parameters: creation, search by name, and the initial values that the init rules describe. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/adapt/adapter.h"

peft_status pf_param_make(peft_context *ctx, pf_params *list, const char *name, const char *group, int ndim,
                          const int64_t *dims, pf_param **out)
{
    int64_t count = pf_dims_count(ndim, dims);
    size_t bytes;
    if (count < 0 || !pf_mul_size((size_t)count, sizeof(pk_real), &bytes))
        return pf_fail(PEFT_E_SHAPE, "parameter '%s': its extents are negative or too large for memory", name);
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 32;
        pf_param **items = pf_realloc(ctx, list->item, capacity * sizeof *items);
        if (!items) return pf_nomem("parameter list", capacity * sizeof *items);
        list->item = items;
        list->capacity = capacity;
    }
    pf_param *p = pf_alloc_zero(ctx, sizeof *p);
    char *copy = pf_strdup(ctx, name);
    void *data = pf_alloc_zero(ctx, bytes);
    if (!p || !copy || !data) {
        pf_free(ctx, p);
        pf_free(ctx, copy);
        pf_free(ctx, data);
        return pf_nomem(name, bytes);
    }
    p->name = copy;
    p->group = group;
    p->value = (peft_tensor){ .ctx = ctx, .type = PF_REAL, .ndim = ndim, .data = data, .owned = true };
    memcpy(p->value.dim, dims, sizeof(int64_t) * (size_t)ndim);
    p->grad = p->value;                                /* the gradient's shape; a trainer gives it memory */
    p->grad.data = NULL;
    p->grad.owned = false;
    list->item[list->count++] = p;
    *out = p;
    return PEFT_OK;
}

void pf_params_free(peft_context *ctx, pf_params *list)
{
    for (size_t i = 0; i < list->count; i++) {
        pf_free(ctx, list->item[i]->value.data);
        pf_free(ctx, list->item[i]->name);
        pf_free(ctx, list->item[i]);
    }
    pf_free(ctx, list->item);
    *list = (pf_params){ 0 };
}

pf_param *pf_params_find(const pf_params *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) if (!strcmp(list->item[i]->name, name)) return list->item[i];
    return NULL;
}

/* The first group whose name occurs in the parameter's name. */
const char *pf_param_group_of(const char *name)
{
    static const char *const groups[] = { "prompt", "head", "norm", "bias" };
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) if (strstr(name, groups[i])) return groups[i];
    return "weight";
}

const char  *peft_param_name(const peft_param *p) { return p ? p->name : NULL; }
const char  *peft_param_group(const peft_param *p) { return p ? p->group : NULL; }
peft_tensor *peft_param_value(peft_param *p) { return p ? &p->value : NULL; }
const peft_tensor *peft_param_grad(const peft_param *p) { return p && p->grad.data ? &p->grad : NULL; }

/* A standard normal number between -limit and limit: draws until one is, 64 times at most (then 0). Element i uses the
 * draws i, i + 2^40, i + 2 * 2^40, .., which no other element uses. */
static double truncated_normal(const pf_rng *r, uint64_t i, double limit)
{
    for (uint64_t k = 0; k < 64; k++) {
        double v = pf_rng_normal(r, i + (k << 40));
        if (fabs(v) <= limit) return v;
    }
    return 0;
}

/* An init rule as numbers: an element is scale * u + mean, where u is 1 (CONSTANT), a standard normal number (NORMAL,
 * TRUNCATED) or uniform in -1..1 (UNIFORM). "trunc_normal:0.02:1" is TRUNCATED with scale 0.02 and mean 1. */
typedef struct { enum { CONSTANT, NORMAL, TRUNCATED, UNIFORM } kind; double scale, mean; } rule;

/* fan_in, fan_out: products of extents that the scales of kaiming and xavier depend on. */
static peft_status parse_rule(const char *init, double fan_in, double fan_out, rule *out)
{
    char text[64];
    snprintf(text, sizeof text, "%s", init);
    char *number = strchr(text, ':'), *second = number ? strchr(number + 1, ':') : NULL;
    const size_t name_length = number ? (size_t)(number - text) : strlen(init);
    *out = (rule){ 0 };
    if (second) *second++ = 0;
    const bool has_number = number && pf_parse_float(number + 1, &out->scale) && out->scale >= 0
                         && (!second || pf_parse_float(second, &out->mean));
    /* takes_number: the scale is the number after the colon, as in "normal:0.02"; else it is the row's scale */
    const struct { const char *name; int kind; bool takes_number; double scale; } rules[] = {
        { "zero", CONSTANT, false, 0 }, { "one", CONSTANT, false, 1 },
        { "normal", NORMAL, true, 0 }, { "trunc_normal", TRUNCATED, true, 0 }, { "uniform", UNIFORM, true, 0 },
        { "kaiming", UNIFORM, false, 1 / sqrt(fan_in) }, { "kaiming_normal", NORMAL, false, sqrt(2 / fan_in) },
        { "kaiming_out", NORMAL, false, sqrt(2 / fan_out) }, { "xavier", UNIFORM, false,
                                                               sqrt(6 / (fan_in + fan_out)) } };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strlen(rules[i].name) != name_length || strncmp(init, rules[i].name, name_length)
            || rules[i].takes_number != has_number) continue;
        out->kind = rules[i].kind;
        if (!has_number) out->scale = rules[i].scale;
        return PEFT_OK;
    }
    return pf_fail(PEFT_E_OPTION, "init '%s': expected zero, one, normal:STD, trunc_normal:STD, uniform:BOUND, "
                   "kaiming, kaiming_normal, kaiming_out or xavier", init);
}

peft_status pf_init_check(const char *init)
{
    const double any_fan = 1;                          /* whether the text is a rule does not depend on it */
    rule r;
    return parse_rule(init, any_fan, any_fan, &r);
}

peft_status pf_param_draw(peft_context *ctx, pf_param *p, const char *init)
{
    const int64_t *dim = p->value.dim, count = peft_tensor_count(&p->value);
    double fan_in = 1, fan_out = 1;
    rule parsed;
    for (int i = 1; i < p->value.ndim; i++) fan_in *= (double)dim[i];
    for (int i = 0; i < p->value.ndim; i++) if (i != 1) fan_out *= (double)dim[i];
    PF_TRY(parse_rule(init, fan_in, fan_out, &parsed));
    pf_rng r = { ctx->seed, pf_rng_stream(p->name), 0 };
    pk_real *x = p->value.data;
    for (int64_t i = 0; i < count; i++) {
        /* TRUNCATED: |u| <= 2 / scale, so that the element is within 2 of the mean, as in torch and timm */
        double u = parsed.kind == CONSTANT ? 1 : parsed.kind == NORMAL ? pf_rng_normal(&r, (uint64_t)i)
                 : parsed.kind == TRUNCATED ? truncated_normal(&r, (uint64_t)i, 2 / parsed.scale)
                                       : 2 * pf_rng_uniform(&r, (uint64_t)i) - 1;
        x[i] = (pk_real)(u * parsed.scale + parsed.mean);
    }
    return PEFT_OK;
}
