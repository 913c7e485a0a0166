/* SPDX-License-Identifier: Apache-2.0
 * sum.h -- a fast checksum against accidents (not against intent): a change of a single word always changes it. */
#ifndef PF_SUM_H
#define PF_SUM_H
#include <stddef.h>
#include <stdint.h>

uint64_t pf_sum(uint64_t h, const void *data, size_t bytes);         /* h: the sum of what stands before; 0: nothing */

/* The same sum of data that comes in pieces; each piece but the last has a multiple of 32 bytes. */
typedef struct pf_summing { uint64_t lane[4], before; size_t bytes; } pf_summing;
pf_summing pf_sum_begin(uint64_t h);
void       pf_sum_add(pf_summing *s, const void *data, size_t bytes);
uint64_t   pf_sum_end(const pf_summing *s);
#endif
