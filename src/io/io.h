/* SPDX-License-Identifier: Apache-2.0
 * io.h -- what every file of libpeft-io shares: failing, allocating, reading files. */
#ifndef IO_IO_H
#define IO_IO_H
#include <peft/file.h>
#include <peft/io.h>
#include <peft/sys/memory.h>
#include <peft/sys/option.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Leaves the formatted message for peft_last_error() (which shortens the middle of a long one) and returns s. */
__attribute__((format(printf, 2, 3))) peft_status io_fail(peft_status s, const char *format, ...);
peft_status io_nomem(const char *what);
/* Puts "name: " before the last message, unless the message begins with it already, so that a failure says which file
 * it is about; returns s. */
peft_status io_fail_in(peft_status s, const char *name);

/* A warning (level 1) for the context's log. */
__attribute__((format(printf, 2, 3))) void io_warn(peft_context *ctx, const char *format, ...);

/* Memory of ctx, given back with peft_sys_free(ctx, block); NULL: refused.
 * io_alloc: count * size zeroed bytes; NULL also where that overflows. io_copy: a copy of text. io_join: a copy of a
 * followed by b. */
void *io_alloc(peft_context *ctx, int64_t count, size_t size);
char *io_copy(peft_context *ctx, const char *text);
char *io_join(peft_context *ctx, const char *a, const char *b);

/* The whole of a regular file in memory of ctx, with one 0 byte after it; PEFT_E_UNSUPPORTED when it has more than
 * limit bytes. */
peft_status io_read_file(peft_context *ctx, const char *path, int64_t limit, uint8_t **data, size_t *size);
/* The same for the first max_bytes bytes of a file, or for all of a shorter one. */
peft_status io_read_head(peft_context *ctx, const char *path, int64_t max_bytes, uint8_t **data, size_t *size);

static inline void io_retain(atomic_int *refs) { atomic_fetch_add_explicit(refs, 1, memory_order_relaxed); }
static inline bool io_release(atomic_int *refs)                               /* true: that was the last one */
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}
#endif
