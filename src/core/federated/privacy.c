/* SPDX-License-Identifier: Apache-2.0
 * privacy.c -- clipping of the sites' changes and Gaussian noise on their sum (McMahan, Ramage, Talwar, Zhang, ICLR
 * 2018): a site's change of all trained values together has at most the L2 norm C, each site counts the same, and the
 * sum gets noise of standard deviation noise * C on every value. */
#include <math.h>
#include "core/base/rng.h"
#include "core/federated/aggregator.h"

/* Whether element i belongs to a tensor that is averaged; *k: the slot of element i - 1, or 0. */
static bool is_trained(const peft_aggregator *a, int64_t i, size_t *k)
{
    while (i >= a->slot[*k].first + a->slot[*k].count) ++*k;
    return a->slot[*k].kind == PF_SLOT_MEAN;
}

peft_status pf_privacy_check(const peft_aggregator *a)
{
    if (!(a->clip > 0)) return PEFT_OK;
    if (!a->has_start)
        return pf_fail(PEFT_E_STATE, "clip_norm: the start of the round is missing, from which the sites' changes are "
                       "measured (peft_aggregator_start, --start)");
    if (!(a->noise > 0)) return PEFT_OK;
    if (pf_keeps_sites(a))
        return pf_fail(PEFT_E_UNSUPPORTED, "noise: expected lora=factors and ept=values, as only means of elements "
                       "have a known sensitivity");
    for (size_t i = 0; i < a->slots; i++)
        if (a->slot[i].kind == PF_SLOT_RUNNING_MEAN || a->slot[i].kind == PF_SLOT_RUNNING_VAR)
            return pf_fail(PEFT_E_UNSUPPORTED, "noise: tensor '%s' holds statistics of images, which clip_norm does "
                           "not bound; use a head without batch norm (head=linear)", a->slot[i].name);
    return PEFT_OK;
}

bool pf_privacy_clip(const peft_aggregator *a, double *value)
{
    double squares = 0;
    size_t k = 0;
    if (!(a->clip > 0)) return false;
    for (int64_t i = 0; i < a->elements; i++)
        if (is_trained(a, i, &k)) squares += (value[i] - a->origin[i]) * (value[i] - a->origin[i]);
    const double norm = sqrt(squares);
    if (norm <= a->clip) return false;
    k = 0;
    for (int64_t i = 0; i < a->elements; i++)
        if (is_trained(a, i, &k)) value[i] = a->origin[i] + a->clip / norm * (value[i] - a->origin[i]);
    return true;
}

void pf_privacy_noise(peft_aggregator *a)
{
    const pf_rng stream = { a->seed, pf_rng_stream("federated noise"), 0 };
    const double sites = (double)a->sites, divisor = a->divisor > 0 ? a->divisor : sites;
    size_t k = 0;
    for (int64_t i = 0; i < a->elements; i++) {
        if (!is_trained(a, i, &k)) continue;
        const double noise = a->noise * a->clip * pf_rng_normal(&stream, (uint64_t)i);
        a->value[i] = a->origin[i] + (a->sum[i] - sites * a->origin[i] + noise) / divisor;
    }
}
