/* SPDX-License-Identifier: Apache-2.0
 * names.h -- declares pk_<kernel>_<instruction set>, such as pk_add_avx2, for every row of kernels.def. Builds without
 * SIMD define only the _ref ones. */
#ifndef PK_NAMES_H
#define PK_NAMES_H
#include "pk.h"

#define PK_KERNEL(name, args) void pk_##name##_ref args; void pk_##name##_avx2 args; void pk_##name##_avx512 args;
#include "kernels.def"
#undef PK_KERNEL
#endif
