/* SPDX-License-Identifier: Apache-2.0
 * attention.c -- attention and its gradient in f32. */
#include "../attention/kernels.h"

PK_ATTENTION_KERNELS(attention, attention_grad)
