/* SPDX-License-Identifier: Apache-2.0
 * tensors_write.c -- peft_sys_write_tensors: writes arrays of an application or of libpeft-io as a safetensors file. */
#include <peft/sys/tensors.h>
#include "core/format/safetensors.h"

/* Declares the arrays as tensors of o, and the notes, key, value, key, value, .., NULL, as its metadata. */
static peft_status declare(pf_st_out *o, const peft_named_data *tensors, size_t count, const char *const *notes)
{
    for (; notes && notes[0]; notes += 2) {
        if (!notes[1]) return pf_fail(PEFT_E_INVALID, "peft_sys_write_tensors: note '%.80s' has no value", notes[0]);
        PF_TRY(pf_st_out_meta(o, notes[0], notes[1]));
    }
    for (size_t i = 0; i < count; i++) {
        const peft_named_data *t = &tensors[i];
        if (!t->name) return pf_fail(PEFT_E_INVALID, "peft_sys_write_tensors: the name of tensor %zu is NULL", i);
        PF_TRY(pf_st_out_tensor(o, t->name, t->type, t->ndim, t->dim, t->data));
    }
    return PEFT_OK;
}

peft_status peft_sys_write_tensors(const char *path, const peft_named_data *tensors, size_t count,
                               const char *const *notes)
{
    peft_context bare;                                /* on the stack, for memory alone: the caller gives no context */
    pf_st_out *o;
    if (!path || (!tensors && count))
        return pf_fail(PEFT_E_INVALID, "peft_sys_write_tensors: %s is NULL", path ? "tensors" : "path");
    pf_context_bare(&bare);
    PF_TRY(pf_st_out_create(&bare, &o));
    pf_st_out_keep_order(o);
    peft_status s = declare(o, tensors, count, notes);
    if (!s) s = pf_st_out_write(o, path);
    pf_st_out_free(o);
    return s;
}
