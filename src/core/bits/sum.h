/* SPDX-License-Identifier: Apache-2.0
 * sum.h -- a fast 64-bit checksum of memory, for damaged caches and changed weights. It always detects a change of a
 * single word. It is not cryptographic: other data with the same checksum can be made on purpose. */
#ifndef PF_SUM_H
#define PF_SUM_H
#include <stddef.h>
#include <stdint.h>

/* The checksum of data. */
uint64_t pf_checksum(const void *data, size_t bytes);
/* The checksum of data that follow other data, whose checksum is h. */
uint64_t pf_checksum_after(uint64_t h, const void *data, size_t bytes);
enum { PF_CHECKSUM_START = 0 };          /* as h: there are no other data */

/* pf_checksum_after in pieces: begin, add each piece, end. Every piece but the last must have a multiple of 32 bytes.
 * lane[i]: sum of the words i, i + 4, i + 8, ..; initial: the h of pf_checksum_after; bytes: added so far. */
typedef struct pf_checksum_state { uint64_t lane[4], initial; size_t bytes; } pf_checksum_state;
pf_checksum_state pf_checksum_begin(uint64_t h);
void              pf_checksum_add(pf_checksum_state *s, const void *data, size_t bytes);
uint64_t          pf_checksum_end(const pf_checksum_state *s);
#endif
