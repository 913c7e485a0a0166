/* SPDX-License-Identifier: Apache-2.0
 * names.h -- declares pk_<kernel>_<isa> for every row of kernels.def; a build need not have all of them. */
#ifndef PK_NAMES_H
#define PK_NAMES_H
#include "pk.h"

#define PK_KERNEL(name, args) void pk_##name##_ref args; void pk_##name##_avx2 args; void pk_##name##_avx512 args;
#include "kernels.def"
#undef PK_KERNEL
#endif
