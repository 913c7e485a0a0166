/* SPDX-License-Identifier: Apache-2.0
 * int8.c -- products in int8 arithmetic by the f32 micro-kernel (whole.h). */
#include "../simd/gemm_micro.h"
#include "whole.h"

PK_WHOLE_KERNELS(PK_MR, PK_NR)
