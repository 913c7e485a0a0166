/* SPDX-License-Identifier: Apache-2.0
 * save_storage.c -- a backbone with its matrices of the blocks stored in another way, to be saved. */
#include "core/bits/weight_reader.h"
#include "core/weights/save/save.h"

/* Makes the matrices of c->weight[i] f32, with the values of `from`, which is stored as int8. */
static peft_status widen(peft_backbone *c, size_t i, const peft_tensor *from)
{
    peft_tensor *t = &c->weight[i].tensor;
    t->type = PF_REAL;
    t->scales = NULL;
    pk_real *to = pf_backbone_alloc_data(c, i);
    if (!to) return PEFT_E_NOMEM;
    pf_tensor_read(to, from);
    return PEFT_OK;
}

peft_status pf_save_restored(const peft_backbone *b, bool int8, peft_backbone **out)
{
    peft_backbone *c;
    peft_status s = PEFT_OK;
    PF_TRY(pf_backbone_alloc(b->ctx, &b->shape, &c));
    for (size_t i = 0; i < b->weights && !s; i++) {
        const peft_tensor *from = &b->weight[i].tensor;
        peft_tensor *t = &c->weight[i].tensor;
        *t = *from;
        t->owned = false;
        if (from->scales) s = widen(c, i, from);
        else if (int8 && pf_is_int8_matrix(b->weight[i].name)) s = pf_backbone_store_int8(c, i);
    }
    if (s) peft_backbone_free(c);
    else *out = c;
    return s;
}
