/* SPDX-License-Identifier: Apache-2.0
 * rounded_ref.c -- packs panels for products in bf16 arithmetic by the micro-kernel in plain C (../rounded/rounded.h):
 * the reference for every kernel of that arithmetic. */
#define PK_NAME(name) PK_REF(name)
#define PK_REF(name) pk_##name##_ref
#include "../rounded/rounded.h"

enum { MR = 4, NR = 8 };        /* mr and nr of table_ref (../cpu.c) */

PK_ROUNDED_KERNELS(MR, NR)
