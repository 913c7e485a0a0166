/* SPDX-License-Identifier: Apache-2.0
 * sum.h -- a fast 64-bit checksum of memory, for damaged caches and changed weights. It always detects a change of a
 * single word. It is not cryptographic: other data with the same checksum can be made on purpose. */
#ifndef PF_SUM_H
#define PF_SUM_H
#include <stddef.h>
#include <stdint.h>

/* The checksum of data behind other data whose checksum is h; 0: no other data. */
uint64_t pf_sum(uint64_t h, const void *data, size_t bytes);

/* pf_sum in pieces: begin, add each piece, end. Every piece but the last must have a multiple of 32 bytes.
 * lane: sums of every fourth word; initial: the h of pf_sum; bytes: added so far. */
typedef struct pf_summing { uint64_t lane[4], initial; size_t bytes; } pf_summing;
pf_summing pf_sum_begin(uint64_t h);
void       pf_sum_add(pf_summing *s, const void *data, size_t bytes);
uint64_t   pf_sum_end(const pf_summing *s);
#endif
