/* SPDX-License-Identifier: Apache-2.0
 * state.c -- writes parameters to safetensors files and reads them back, and restores states; see state.h. */
#include <stdio.h>
#include <string.h>
#include "core/store/state.h"

peft_status pf_state_write(pf_st_out *o, const char *prefix, const pf_params *list)
{
    char name[160];
    for (size_t i = 0; i < list->count; i++) {
        const pf_param *p = list->item[i];
        if (!pf_finite(p->value.data, peft_tensor_count(&p->value)))
            return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf: not saved", p->name);
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        PF_TRY(pf_st_out_tensor(o, name, PF_REAL, p->value.ndim, p->value.dim, p->value.data));
    }
    return PEFT_OK;
}

peft_status pf_state_read(const pf_st *st, const char *prefix, const pf_params *list)
{
    char name[160];
    for (size_t i = 0; i < list->count; i++) {
        pf_param *p = list->item[i];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        PF_TRY(pf_check_stored_extents(st, name, p->value.ndim, p->value.dim));
        const pf_st_tensor *t = pf_st_find(st, name);
        if (!pf_is_float(t->type))
            return pf_fail(PEFT_E_DTYPE, "tensor '%s': given %s, expected F32, F16, BF16 or F64", name, t->type_name);
        pf_to_real(p->value.data, t->data, t->type, peft_tensor_count(&p->value));
        if (!pf_finite(p->value.data, peft_tensor_count(&p->value)))
            return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf", name);
    }
    return PEFT_OK;
}

peft_status pf_state_refuse_others(const pf_st *st, bool (*known)(const void *object, const char *name),
                                   const void *object)
{
    for (size_t i = 0; i < pf_st_count(st); i++)
        if (!known(object, pf_st_at(st, i)->name))
            return pf_fail(PEFT_E_FORMAT, "tensor '%s' is unexpected", pf_st_at(st, i)->name);
    return PEFT_OK;
}

peft_status pf_restore_tensor(pf_restorer *r, const char *name, peft_dtype type, int ndim, const int64_t *dims,
                              void *data, const void **stored)
{
    const pf_st_tensor *from = pf_st_find(r->st, name);
    if (!from) return pf_fail(PEFT_E_FORMAT, "tensor '%s' is missing", name);
    if (from->type != type || from->ndim != ndim || memcmp(from->dim, dims, sizeof(int64_t) * (size_t)ndim))
        return pf_fail(PEFT_E_MISMATCH, "tensor '%s' has another type or other extents than that of %s", name,
                       r->owner);
    if (r->copy) memcpy(data, from->data, from->bytes);
    *stored = from->data;
    r->found++;
    return PEFT_OK;
}

peft_status pf_restore_found_all(const pf_restorer *r)
{
    if (r->found == pf_st_count(r->st)) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "the file has %zu tensors, expected %zu", pf_st_count(r->st), r->found);
}
