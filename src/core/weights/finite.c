/* SPDX-License-Identifier: Apache-2.0
 * finite.c -- a backbone whose weights hold NaN or Inf is refused when it is loaded. */
#include "core/bits/finite.h"
#include "core/weights/backbone.h"

peft_status pf_backbone_finite(const peft_backbone *b)
{
    for (size_t i = 0; i < b->weights; i++) {
        const peft_tensor *t = &b->weight[i].tensor;
        if (!pf_finite(t->data, peft_tensor_count(t)))
            return pf_fail(PEFT_E_NONFINITE, "tensor '%s' (in timm's naming) holds NaN or Inf: the file is damaged, or "
                           "its training diverged; take another copy", b->weight[i].name);
    }
    return PEFT_OK;
}
