/* SPDX-License-Identifier: Apache-2.0
 * mean.c -- weighted means of the sites' values, and the figures of a round. */
#include <math.h>
#include "core/bits/finite.h"
#include "core/federated/aggregator.h"

/* The batch-norm statistics of several sites together, by the law of total variance: with means m_k and variances v_k,
 * the variance is mean(v_k + m_k^2) - mean(m_k)^2. So a site's term of the sum is v_k + m_k^2. */
static double term(const peft_aggregator *a, const pf_slot *p, const double *value, int64_t i)
{
    const double v = value[p->first + i];
    if (p->kind != PF_SLOT_RUNNING_VAR) return v;
    const double m = value[a->slot[p->partner].first + i];
    return v + m * m;
}

/* The sum of squares grows as West's (CACM 1979): by weight W / (W + weight) |value - mean|^2, where W and the mean are
 * those of the sites before. It is no difference of large numbers. */
void pf_mean_add(peft_aggregator *a, const double *value, double weight)
{
    double squares = 0;
    const bool others = a->weight > 0;
    for (size_t k = 0; k < a->slots; k++) {
        const pf_slot *p = &a->slot[k];
        for (int64_t i = 0; i < p->count; i++) {
            const int64_t at = p->first + i;
            const double from_mean = others ? value[at] - a->sum[at] / a->weight : 0;
            if (p->kind == PF_SLOT_MEAN) squares += from_mean * from_mean;
            a->sum[at] += weight * term(a, p, value, i);
        }
    }
    a->squares += weight * (a->weight / (a->weight + weight)) * squares;
    a->weight += weight;
    a->sites++;
}

/* The mean of element i of slot p. */
static double mean_of(const peft_aggregator *a, const pf_slot *p, int64_t i)
{
    if (p->kind == PF_SLOT_FIXED) return a->origin[p->first + i];
    const double mean = a->sum[p->first + i] / a->weight;
    if (p->kind != PF_SLOT_RUNNING_VAR) return mean;
    const double m = a->sum[a->slot[p->partner].first + i] / a->weight;
    return fmax(mean - m * m, 0);
}

peft_status pf_mean_finish(peft_aggregator *a)
{
    for (size_t k = 0; k < a->slots; k++)
        for (int64_t i = 0; i < a->slot[k].count; i++) a->value[a->slot[k].first + i] = mean_of(a, &a->slot[k], i);
    if (a->noise > 0) pf_privacy_noise(a);
    if (a->ept != PF_EPT_VALUES) pf_ept_finish(a);
    if (a->lora == PF_LORA_PRODUCT) PF_TRY(pf_low_rank_product(a));
    if (a->lora == PF_LORA_STACK) PF_TRY(pf_low_rank_stack(a));
    for (int64_t i = 0; i < a->elements; i++) a->rounded[i] = (pk_real)a->value[i];
    for (size_t k = 0; k < a->slots; k++) {
        const pf_slot *p = &a->slot[k];
        if (!pf_finite(a->rounded + p->first, p->count))
            return pf_fail(PEFT_E_NONFINITE, "the mean of tensor '%s' is too large for f32", p->name);
    }
    return PEFT_OK;
}

/* |mean of the sites - origin|^2 over the slots that are averaged. */
static double update_squared(const peft_aggregator *a)
{
    double sum = 0;
    for (size_t k = 0; k < a->slots; k++) {
        const pf_slot *p = &a->slot[k];
        if (p->kind != PF_SLOT_MEAN) continue;
        for (int64_t i = 0; i < p->count; i++) {
            const double d = mean_of(a, p, i) - a->origin[p->first + i];
            sum += d * d;
        }
    }
    return sum;
}

size_t peft_aggregator_sites(const peft_aggregator *a) { return a ? a->sites : 0; }
double peft_aggregator_weight(const peft_aggregator *a) { return a ? a->weight : 0; }
size_t peft_aggregator_clipped(const peft_aggregator *a) { return a ? a->clipped : 0; }
size_t peft_aggregator_received(const peft_aggregator *a) { return a ? a->received : 0; }

double peft_aggregator_drift(const peft_aggregator *a)
{
    PK_FLOAT_SCOPE;
    if (!a || !a->sites) return NAN;
    return sqrt(a->squares / a->weight);
}

double peft_aggregator_update(const peft_aggregator *a)
{
    PK_FLOAT_SCOPE;
    return a && a->sites && a->has_start ? sqrt(update_squared(a)) : NAN;
}
