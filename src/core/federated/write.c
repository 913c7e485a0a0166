/* SPDX-License-Identifier: Apache-2.0
 * write.c -- the result of a round as a file, or as the bytes of one. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/federated/aggregator.h"

/* Writes the options of the adapter of LoRA with the rank of all sites together, and alpha so that the scale, which is
 * alpha / r or with rslora alpha / sqrt(r), stays the same. */
static peft_status write_stacked_options(const peft_aggregator *a, pf_st_out *o, const char *key, const char *value)
{
    peft_options *p;
    const pf_opt *table;
    char *text;
    PF_TRY(pf_options_read(a, "lora", value, &p, &table));
    const int64_t sites = (int64_t)a->sites, rank = pf_options_int(p, table, "r");
    const double alpha = pf_options_float(p, table, "alpha");
    const bool root = pf_options_int(p, table, "rslora") != 0;
    peft_status s = peft_options_set_int(p, "r", rank * sites);
    if (!s) s = peft_options_set_float(p, "alpha", alpha * (root ? sqrt((double)sites) : (double)sites));
    if (!s) s = pf_options_check(p, table, "lora=stack: the ranks of all sites together");
    if (!s) s = pf_options_print(a->ctx, p, &text);
    peft_options_free(p);
    if (s) return s;
    s = pf_st_out_meta(o, key, text);
    pf_free(a->ctx, text);
    return s;
}

/* The metadata of the start, but for what holds for its values alone: statistics of training images, thresholds. */
static peft_status write_metadata(const peft_aggregator *a, pf_st_out *o)
{
    static const char of_source[] = "libpeft.source.";
    static const char *const of_values[] = { "decision", "conformal" };  /* notes of finetune: thresholds, sets */
    char stacked[64] = "";                                   /* the entry with the options of LoRA */
    size_t adapter;
    if (a->lora == PF_LORA_STACK && pf_options_of(a, "lora", &adapter))
        snprintf(stacked, sizeof stacked, "libpeft.adapter.%zu.options", adapter);
    for (size_t i = 0; i < pf_st_meta_count(a->model); i++) {
        const char *key, *value;
        pf_st_meta_at(a->model, i, &key, &value);
        bool dropped = !strncmp(key, of_source, strlen(of_source));
        for (size_t k = 0; k < 2; k++) dropped |= !strcmp(key, of_values[k]);
        if (dropped) continue;
        if (!strcmp(key, "libpeft.version")) value = peft_version_string();
        if (strcmp(key, stacked)) PF_TRY(pf_st_out_meta(o, key, value));
        else PF_TRY(write_stacked_options(a, o, key, value));
    }
    return PEFT_OK;
}

static peft_status fill(peft_aggregator *a, pf_st_out *o)
{
    PF_TRY(pf_mean_finish(a));
    PF_TRY(write_metadata(a, o));
    for (size_t i = 0; i < a->slots; i++) {
        const pf_slot *p = &a->slot[i];
        int64_t dims[2];
        const pk_real *stacked = pf_low_rank_stacked(a, i, dims);
        PF_TRY(stacked ? pf_st_out_tensor(o, p->name, PF_REAL, 2, dims, stacked)
                       : pf_st_out_tensor(o, p->name, PF_REAL, p->ndim, p->dim, a->rounded + p->first));
    }
    return PEFT_OK;
}

/* Makes the file: under path, or if path is NULL in memory. */
static peft_status make(peft_aggregator *a, const char *path, size_t *size)
{
    pf_st_out *o;
    if (!a->sites)
        return pf_fail(PEFT_E_STATE, "no site was added: expected at least one (peft_aggregator_add)");
    PF_TRY(pf_st_out_create(a->ctx, &o));
    peft_status s = fill(a, o);
    pf_free(a->ctx, a->file);
    a->file = NULL;
    a->noise_used = a->noise > 0;            /* also where the file cannot be written: parts of it may have been */
    if (!s) s = path ? pf_st_out_write(o, path) : pf_st_out_bytes(o, &a->file, size);
    pf_st_out_free(o);
    return s;
}

peft_status peft_aggregator_write(peft_aggregator *a, const char *path)
{
    PK_FLOAT_SCOPE;
    if (!a || !path) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", a ? "path" : "aggregator");
    const peft_status s = make(a, path, NULL);
    return s ? pf_prefix_error(s, "%s", path) : PEFT_OK;
}

peft_status peft_aggregator_bytes(peft_aggregator *a, const void **data, size_t *size)
{
    PK_FLOAT_SCOPE;
    if (!a || !data || !size)
        return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !a ? "aggregator" : !data ? "data" : "size");
    PF_TRY(make(a, NULL, size));
    *data = a->file;
    return PEFT_OK;
}
