/* SPDX-License-Identifier: Apache-2.0
 * attention.c -- attention and its gradient in bf16 arithmetic: the products by VDPBF16PS, all else as in f32. */
#define PK_DOT_BF16
#include "../attention/kernels.h"

PK_ATTENTION_KERNELS(attention_pairs, attention_grad_pairs)
