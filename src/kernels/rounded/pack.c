/* SPDX-License-Identifier: Apache-2.0
 * pack.c -- packs panels for products in bf16 arithmetic by the f32 micro-kernel (rounded.h). */
#include "../simd/gemm_micro.h"
#include "rounded.h"

PK_PACK_A_ROUNDED(PK_MR)
PK_PACK_B_ROUNDED(real, PK_NR)
PK_PACK_B_ROUNDED(f16, PK_NR)
PK_PACK_B_ROUNDED(bf16, PK_NR)
