/* SPDX-License-Identifier: Apache-2.0
 * sha256.h -- SHA-256 (FIPS 180-4), for the fingerprints of weights. */
#ifndef PF_SHA256_H
#define PF_SHA256_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* h: the hash value so far; bytes: the length so far; block: the bytes (bytes % 64) that do not fill a block yet. */
typedef struct pf_sha256 { uint32_t h[8]; uint64_t bytes; uint8_t block[64]; } pf_sha256;
void pf_sha256_init(pf_sha256 *s);
void pf_sha256_add(pf_sha256 *s, const void *data, size_t n);
void pf_sha256_hex(pf_sha256 *s, char hex[65]);               /* ends the message; hex: the digest */

/* The round constants K of FIPS 180-4, section 4.2.2. */
extern const uint32_t pf_sha256_k[64];
/* The compression function: updates the hash value h by whole blocks of 64 bytes, in plain C or by the SHA instructions
 * of x86, which must exist (pf_sha256_has_x86). */
void pf_sha256_plain(uint32_t h[8], const uint8_t *p, size_t blocks);
void pf_sha256_x86(uint32_t h[8], const uint8_t *p, size_t blocks);
bool pf_sha256_has_x86(void);
#endif
