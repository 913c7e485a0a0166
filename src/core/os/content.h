/* SPDX-License-Identifier: Apache-2.0
 * content.h -- what a file is that does not hold what was expected. */
#ifndef PF_CONTENT_H
#define PF_CONTENT_H
#include <stddef.h>
#include <stdint.h>

/* By its first bytes (1,024 are enough), and with what to do about it: "a git-lfs pointer, not the file itself (fetch
 * ...)"; "empty (0 bytes)" for size 0. NULL: nothing that is known. */
const char *pf_content_kind(const void *data, size_t size);
#endif
