/* SPDX-License-Identifier: Apache-2.0
 * sum.h -- a fast checksum against accidents (not against intent): a change of a single word always changes it. */
#ifndef PF_SUM_H
#define PF_SUM_H
#include <stddef.h>
#include <stdint.h>

uint64_t pf_sum(uint64_t h, const void *data, size_t bytes);         /* h: the sum of what stands before; 0: nothing */
#endif
