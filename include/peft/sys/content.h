/* SPDX-License-Identifier: Apache-2.0
 * peft/sys/content.h -- what a file is that does not hold what was expected, for messages. Part of the systems
 * interface, whose promise method.h states. */
#ifndef PEFT_SYS_CONTENT_H
#define PEFT_SYS_CONTENT_H
#include <peft/export.h>
#include <stddef.h>
PEFT_BEGIN_DECLS

/* The kind of the file that begins with these bytes (1,024 are enough), with what to do about it: "a git-lfs pointer,
 * not the file itself (fetch ...)"; "empty (0 bytes)" for size 0. NULL: nothing that is known. The text is static. */
PEFT_API const char *peft_content_kind(const void *data, size_t size);

PEFT_END_DECLS
#endif
