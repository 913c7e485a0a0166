/* SPDX-License-Identifier: Apache-2.0
 * val.h -- the name of a value in a graph. */
#ifndef PF_VAL_H
#define PF_VAL_H
#include <stdint.h>

typedef struct { uint32_t id; } pf_val;                 /* 0: no value */
#define PF_NONE ((pf_val){0})
#endif
