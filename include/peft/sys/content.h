/* SPDX-License-Identifier: Apache-2.0
 * peft/sys/content.h -- tells the kind of a file by its first bytes, for the error message of a reader that expected
 * another kind. Part of the systems interface, whose promise method.h states. */
#ifndef PEFT_SYS_CONTENT_H
#define PEFT_SYS_CONTENT_H
#include <peft/export.h>
#include <stddef.h>
PEFT_BEGIN_DECLS

/* The kind of a file that begins with the size bytes at data (1,024 are enough), with advice: "a git-lfs
 * pointer, not the file itself (fetch ...)"; "empty (0 bytes)" for size 0. NULL: an unknown kind. The text is
 * static. */
PEFT_API const char *peft_sys_content_kind(const void *data, size_t size);

PEFT_END_DECLS
#endif
