/* SPDX-License-Identifier: Apache-2.0
 * uids.h -- UIDs that are made of what they name (PS3.5 B.2). */
#ifndef IO_SEG_UIDS_H
#define IO_SEG_UIDS_H
#include "io/io.h"

/* A digest of texts and numbers that are added one after the other. */
typedef struct io_seg_digest { char hex[65]; } io_seg_digest;
void io_seg_digest_add(io_seg_digest *d, const void *data, size_t size);
void io_seg_digest_text(io_seg_digest *d, const char *text);
/* The UID 2.25.N, N the first 128 bits of the digest as a UUID of version 8 (RFC 9562). */
void io_seg_uid(const io_seg_digest *d, char uid[65]);
#endif
