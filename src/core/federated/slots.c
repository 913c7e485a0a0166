/* SPDX-License-Identifier: Apache-2.0
 * slots.c -- the tensors that an aggregator averages, and their values in a file. */
#include <math.h>
#include <string.h>
#include "core/bits/finite.h"
#include "core/federated/aggregator.h"
#include "core/weights/backbone.h"

/* Tensors under such names are statistics of the images that a file was trained on (core/model/source.c). They hold for
 * the values of that file only, so the result has none. */
static const char not_averaged[] = "libpeft.";

static bool is_averaged(const pf_st_tensor *t) { return strncmp(t->name, not_averaged, strlen(not_averaged)) != 0; }

/* Whether name ends with ending; then *stem is the length of what is before it. */
static bool ends_with(const char *name, const char *ending, size_t *stem)
{
    const size_t n = strlen(name), m = strlen(ending);
    *stem = n > m ? n - m : 0;
    return n > m && !strcmp(name + *stem, ending);
}

/* Tensors that are saved and not trained: buffers of methods and heads. */
static pf_slot_kind kind_of(const char *name)
{
    static const struct { const char *ending; pf_slot_kind kind; } buffers[] = {
        { ".running_mean", PF_SLOT_RUNNING_MEAN }, { ".running_var", PF_SLOT_RUNNING_VAR } };
    static const char *const fixed[] = { "vera_A", "vera_B" };
    size_t stem;
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (ends_with(name, buffers[i].ending, &stem)) return buffers[i].kind;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) if (!strcmp(name, fixed[i])) return PF_SLOT_FIXED;
    return PF_SLOT_MEAN;
}

/* Joins the means and the variances of each batch norm; statistics without their partner are averaged as they are. */
static void find_partners(peft_aggregator *a)
{
    for (size_t i = 0; i < a->slots; i++) {
        pf_slot *mean = &a->slot[i];
        size_t stem, other;
        if (mean->kind != PF_SLOT_RUNNING_MEAN) continue;
        ends_with(mean->name, ".running_mean", &stem);
        mean->kind = PF_SLOT_MEAN;
        for (size_t k = 0; k < a->slots && mean->kind == PF_SLOT_MEAN; k++) {
            pf_slot *var = &a->slot[k];
            if (var->kind != PF_SLOT_RUNNING_VAR || !ends_with(var->name, ".running_var", &other) || other != stem
                || strncmp(var->name, mean->name, stem) || var->count != mean->count) continue;
            mean->kind = PF_SLOT_RUNNING_MEAN;
            mean->partner = k;
            var->partner = i;
        }
    }
    for (size_t i = 0; i < a->slots; i++)
        if (a->slot[i].kind == PF_SLOT_RUNNING_VAR && a->slot[a->slot[i].partner].kind != PF_SLOT_RUNNING_MEAN)
            a->slot[i].kind = PF_SLOT_MEAN;
}

peft_status pf_slots_create(peft_aggregator *a)
{
    const size_t count = pf_st_count(a->model);
    a->slot = pf_alloc_zero(a->ctx, (count ? count : 1) * sizeof *a->slot);
    if (!a->slot) return pf_nomem("table of tensors", count * sizeof *a->slot);
    for (size_t i = 0; i < count; i++) {
        const pf_st_tensor *t = pf_st_at(a->model, i);
        pf_slot *p = &a->slot[a->slots];
        if (!is_averaged(t)) continue;
        *p = (pf_slot){ .name = t->name, .ndim = t->ndim, .first = a->elements,
                        .count = pf_dims_count(t->ndim, t->dim), .kind = kind_of(t->name), .partner = a->slots };
        memcpy(p->dim, t->dim, sizeof p->dim);
        a->elements += p->count;
        a->slots++;
    }
    if (!a->slots) return pf_fail(PEFT_E_FORMAT, "the file has no tensors of an adapter or a head to average");
    find_partners(a);
    return PEFT_OK;
}

/* PEFT_E_MISMATCH: the file has tensors that a->model does not have. */
static peft_status refuse_others(const peft_aggregator *a, const pf_st *st)
{
    for (size_t i = 0; i < pf_st_count(st); i++) {
        const pf_st_tensor *t = pf_st_at(st, i);
        if (is_averaged(t) && !pf_st_find(a->model, t->name))
            return pf_fail(PEFT_E_MISMATCH, "has a tensor '%s', and %s has none of that name", t->name,
                           pf_fit_reference(a));
    }
    return PEFT_OK;
}

/* Reads the values of slot p of the file. */
static peft_status read_slot(const peft_aggregator *a, const pf_st *st, const pf_slot *p, double *to)
{
    const pf_st_tensor *t = pf_st_find(st, p->name);
    const char *other = pf_fit_reference(a);
    char given[160], expected[160];
    if (!t) return pf_fail(PEFT_E_MISMATCH, "has no tensor '%s', and %s has one", p->name, other);
    if (t->ndim != p->ndim || memcmp(t->dim, p->dim, sizeof *p->dim * (size_t)p->ndim))
        return pf_fail(PEFT_E_MISMATCH, "tensor '%s' is %s, and that of %s %s", p->name,
                       pf_dims_text(given, sizeof given, t->ndim, t->dim), other,
                       pf_dims_text(expected, sizeof expected, p->ndim, p->dim));
    if (!pf_is_float(t->type))
        return pf_fail(PEFT_E_DTYPE, "tensor '%s': given %s, expected F32, F16, BF16 or F64", p->name, t->type_name);
    pf_to_real(a->rounded, t->data, t->type, p->count);
    if (!pf_finite(a->rounded, p->count))
        return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf: train this site again, with a smaller learning "
                       "rate, or leave it out", p->name);
    for (int64_t i = 0; i < p->count; i++) to[i] = (double)a->rounded[i];
    return PEFT_OK;
}

peft_status pf_slots_read(const peft_aggregator *a, const pf_st *st, double *value)
{
    for (size_t i = 0; i < a->slots; i++) {
        const pf_slot *p = &a->slot[i];
        double *to = value + p->first;
        PF_TRY(read_slot(a, st, p, to));
        if (p->kind == PF_SLOT_FIXED && st != a->model
            && memcmp(to, a->origin + p->first, sizeof *to * (size_t)p->count))
            return pf_fail(PEFT_E_MISMATCH, "tensor '%s', which is not trained, has other values than that of %s: make "
                           "all sites' adapters from the same start file", p->name,
                           pf_fit_reference(a));
    }
    return refuse_others(a, st);
}
