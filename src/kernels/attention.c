/* SPDX-License-Identifier: Apache-2.0
 * attention.c -- how much scratch one call of the attention kernels takes. */
#include "attention.h"

size_t pk_attention_work(const pk_table *t, const pk_attention *a, int gradient)
{
    int64_t plain = gradient ? 0 : a->keys + a->extra;      /* what the plain C kernels take */
    int64_t vector = t->vector > 1 ? pk_attention_lay_out(a, gradient, t->mr, t->nr).total : 0;
    int64_t bytes = (plain > vector ? plain : vector) * (int64_t)sizeof(pk_real);
    return (size_t)((bytes + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
}
