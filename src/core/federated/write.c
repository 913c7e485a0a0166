/* SPDX-License-Identifier: Apache-2.0
 * write.c -- the result of a round as a file, or as the bytes of one. */
#include <string.h>
#include "core/federated/aggregator.h"

/* The metadata of the start, but for statistics of training images, which do not hold for the result. */
static peft_status write_metadata(const peft_aggregator *a, pf_st_out *o)
{
    static const char of_source[] = "libpeft.source.";
    for (size_t i = 0; i < pf_st_meta_count(a->model); i++) {
        const char *key, *value;
        pf_st_meta_at(a->model, i, &key, &value);
        if (!strncmp(key, of_source, strlen(of_source))) continue;
        if (!strcmp(key, "libpeft.version")) value = peft_version_string();
        PF_TRY(pf_st_out_meta(o, key, value));
    }
    return PEFT_OK;
}

static peft_status fill(peft_aggregator *a, pf_st_out *o)
{
    PF_TRY(pf_mean_finish(a));
    PF_TRY(write_metadata(a, o));
    for (size_t i = 0; i < a->slots; i++) {
        const pf_slot *p = &a->slot[i];
        PF_TRY(pf_st_out_tensor(o, p->name, PF_REAL, p->ndim, p->dim, a->rounded + p->first));
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
