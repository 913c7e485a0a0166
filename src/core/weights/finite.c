/* SPDX-License-Identifier: Apache-2.0
 * finite.c -- the check of a loaded backbone's weights for NaN and Inf. */
#include "core/bits/finite.h"
#include "core/bits/weight_reader.h"
#include "core/weights/backbone.h"

peft_status pf_nonfinite_weight(const char *name)
{
    return pf_fail(PEFT_E_NONFINITE, "tensor '%s' (in timm's naming) holds NaN or Inf: the file is damaged, or its "
                   "training diverged; take another copy", name);
}

peft_status pf_backbone_check_finite(const peft_backbone *b)
{
    for (size_t i = 0; i < b->weights; i++) {
        if (b->weight[i].tensor.scales) continue;           /* checked when it was stored as int8 or read */
        const pk_weight w = pf_tensor_weight(&b->weight[i].tensor);
        pf_reader r;
        pf_reader_start(&r, b->ctx->kernels, &w);
        while (pf_reader_next(&r))
            if (!pf_finite(r.x, r.n))
                return pf_nonfinite_weight(b->weight[i].name);
    }
    return PEFT_OK;
}
