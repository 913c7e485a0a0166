/* SPDX-License-Identifier: Apache-2.0
 * ept.c -- prompts p of ept [layers, tokens, length] act through z = log sum_j exp(p_j) of each token alone. z is
 * convex in p, so that the z of the mean of p is at most the mean of the sites' z (Jensen); the two rules here avoid
 * that. */
#include <math.h>
#include <string.h>
#include "core/federated/aggregator.h"

static const char method[] = "ept", prompts[] = "prompt";

peft_status pf_ept_check(const peft_aggregator *a)
{
    size_t adapter;
    peft_options *o;
    const pf_opt *table;
    const char *text = pf_options_of(a, method, &adapter);
    if (a->ept == PF_EPT_VALUES) return PEFT_OK;
    if (!text)
        return pf_fail(PEFT_E_UNSUPPORTED, "the option ept is a rule for the method ept, which the file does not have; "
                       "leave it out");
    PF_TRY(pf_options_read(a, method, text, &o, &table));
    const bool concat = !strcmp(pf_options_string(o, table, "insert"), "concat");
    peft_options_free(o);
    if (concat) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "the option ept: expected an adapter with insert=concat, whose prompts have a z;"
                   " use ept=values");
}

/* log sum_j exp(p_j) */
static double log_sum(const double *p, int64_t n)
{
    double most = p[0], sum = 0;
    for (int64_t j = 1; j < n; j++) most = fmax(most, p[j]);
    for (int64_t j = 0; j < n; j++) sum += exp(p[j] - most);
    return most + log(sum);
}

/* Moves the mean p of a row so that its z is the mean of the sites' z; at: place of the row. */
static void mean_of_logits(peft_aggregator *a, int64_t at, int64_t length)
{
    double z = 0;
    for (size_t k = 0; k < a->sites; k++) z += a->kept_weight[k] * log_sum(a->kept[k] + at, length);
    const double shift = z / a->weight - log_sum(a->value + at, length);
    for (int64_t j = 0; j < length; j++) a->value[at + j] += shift;
}

/* The logarithm of the mean of exp(p) of an element: sum_j exp(p_j) is then the mean of the sites' sums. */
static double mean_of_mass(const peft_aggregator *a, int64_t at)
{
    double most = a->kept[0][at], sum = 0;
    for (size_t k = 1; k < a->sites; k++) most = fmax(most, a->kept[k][at]);
    for (size_t k = 0; k < a->sites; k++) sum += a->kept_weight[k] * exp(a->kept[k][at] - most);
    return most + log(sum / a->weight);
}

void pf_ept_finish(peft_aggregator *a)
{
    for (size_t i = 0; i < a->slots; i++) {
        const pf_slot *s = &a->slot[i];
        if (strcmp(s->name, prompts)) continue;
        const int64_t length = s->ndim ? s->dim[s->ndim - 1] : 1;
        for (int64_t e = 0; e < s->count && a->ept == PF_EPT_MASS; e++)
            a->value[s->first + e] = mean_of_mass(a, s->first + e);
        for (int64_t e = 0; e < s->count && a->ept == PF_EPT_LOGITS; e += length)
            mean_of_logits(a, s->first + e, length);
    }
}
