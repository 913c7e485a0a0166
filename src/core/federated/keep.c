/* SPDX-License-Identifier: Apache-2.0
 * keep.c -- what the rules share that are not means of elements: the sites' values, and the options of a method. */
#include <stdio.h>
#include <string.h>
#include "core/adapt/adapter.h"
#include "core/federated/aggregator.h"

bool pf_keeps_sites(const peft_aggregator *a) { return a->lora != PF_LORA_FACTORS || a->ept != PF_EPT_VALUES; }

/* Makes space for one more site. */
static peft_status reserve(peft_aggregator *a)
{
    if (a->sites < a->capacity) return PEFT_OK;
    const size_t larger = a->capacity ? 2 * a->capacity : 8;
    double **kept = pf_realloc(a->ctx, a->kept, larger * sizeof *kept);
    if (!kept) return pf_nomem("list of sites", larger * sizeof *kept);
    a->kept = kept;
    double *weights = pf_realloc(a->ctx, a->kept_weight, larger * sizeof *weights);
    if (!weights) return pf_nomem("list of sites", larger * sizeof *weights);
    a->kept_weight = weights;
    a->capacity = larger;
    return PEFT_OK;
}

peft_status pf_keep_site(peft_aggregator *a, const double *value, double weight)
{
    const size_t bytes = (size_t)a->elements * sizeof *value;
    PF_TRY(reserve(a));
    double *copy = pf_alloc(a->ctx, bytes);
    if (!copy) return pf_nomem("values of a site", bytes);
    memcpy(copy, value, bytes);
    a->kept[a->sites] = copy;
    a->kept_weight[a->sites] = weight;
    return PEFT_OK;
}

void pf_keep_free(peft_aggregator *a)
{
    for (size_t k = 0; k < a->sites && a->kept; k++) pf_free(a->ctx, a->kept[k]);
    pf_free(a->ctx, a->kept);
    pf_free(a->ctx, a->kept_weight);
    a->kept = NULL;
    a->kept_weight = NULL;
    a->capacity = 0;
}

const char *pf_options_of(const peft_aggregator *a, const char *method, size_t *adapter)
{
    const char *name;
    char key[64];
    for (*adapter = 0; ; ++*adapter) {
        snprintf(key, sizeof key, "libpeft.adapter.%zu.method", *adapter);
        if (!(name = pf_st_meta(a->model, key))) return NULL;
        if (strcmp(name, method)) continue;
        snprintf(key, sizeof key, "libpeft.adapter.%zu.options", *adapter);
        return pf_st_meta(a->model, key);
    }
}

peft_status pf_options_read(const peft_aggregator *a, const char *method, const char *text, peft_options **out,
                            const pf_opt **table)
{
    const peft_method *m = pf_method_find(a->ctx, method);
    if (!m) return pf_fail(PEFT_E_NOTFOUND, "method '%s' is not in this library", method);
    *table = m->opts;
    PF_TRY(peft_options_create(a->ctx, out));
    const peft_status s = peft_options_parse(*out, text);
    if (s) peft_options_free(*out);
    return s;
}
