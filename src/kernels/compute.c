/* SPDX-License-Identifier: Apache-2.0
 * compute.c -- the names of the arithmetics of products. */
#include "pk.h"

const char *pk_compute_name(pk_compute compute)
{
    static const char *const names[PK_COMPUTES] = { [PK_COMPUTE_F32] = "f32", [PK_COMPUTE_BF16X3] = "bf16x3",
                                                    [PK_COMPUTE_BF16] = "bf16", [PK_COMPUTE_INT8] = "int8" };
    return names[compute];
}
