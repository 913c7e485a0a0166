/* SPDX-License-Identifier: Apache-2.0
 * pack.c -- packs panels for products in bf16 arithmetic by the f32 micro-kernel (rounded.h). */
#include "../simd/gemm_micro.h"
#include "rounded.h"

PK_ROUNDED_KERNELS(PK_MR, PK_NR)
