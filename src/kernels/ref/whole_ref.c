/* SPDX-License-Identifier: Apache-2.0
 * whole_ref.c -- products in int8 arithmetic by the micro-kernel in plain C (../whole/whole.h): the reference for every
 * kernel of that arithmetic. */
#define PK_NAME(name) PK_REF(name)
#define PK_REF(name) pk_##name##_ref
#include "../whole/whole.h"

enum { MR = 4, NR = 8 };        /* mr and nr of table_ref (../cpu.c) */

PK_WHOLE_KERNELS(MR, NR)
