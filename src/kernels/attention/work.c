/* SPDX-License-Identifier: Apache-2.0
 * work.c -- the size of the scratch memory of the attention kernels. */
#include "layout.h"

size_t pk_attention_work(const pk_table *t, const pk_attention *a, pk_direction direction)
{
    /* elements that ref/attention_ref.c uses, and those that block.h uses */
    int64_t ref_elements = direction == PK_FORWARD ? a->keys + a->extra : 0;
    int64_t simd_elements = t->vector > 1 ? pk_attention_lay_out(a, direction, t->mr, t->nr).total : 0;
    int64_t bytes = (ref_elements > simd_elements ? ref_elements : simd_elements) * (int64_t)sizeof(pk_real);
    return (size_t)((bytes + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
}
