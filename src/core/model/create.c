/* SPDX-License-Identifier: Apache-2.0
 * create.c -- peft_model_create: a model with the statistics of training images that its backbone has. */
#include "core/model/model.h"

peft_status peft_model_create(peft_backbone *b, const peft_options *o, peft_model **out)
{
    PK_FLOAT_SCOPE;
    if (!b || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", b ? "out" : "backbone");
    pf_source *no_file = NULL;
    peft_model *m = NULL;
    PF_TRY(pf_model_make(b, o, no_file, &m));
    const peft_status s = pf_source_inherit(m, b);
    if (s) peft_model_free(m);
    else *out = m;
    return s;
}
