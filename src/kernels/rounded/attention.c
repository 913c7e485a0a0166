/* SPDX-License-Identifier: Apache-2.0
 * attention.c -- attention and its gradient in bf16 arithmetic without instructions for it: the factors of all products
 * are floats that are rounded to bf16. */
#define PK_ROUNDED_FACTORS
#include "../attention/kernels.h"

PK_ATTENTION_KERNELS(attention_rounded, attention_grad_rounded)
