/* SPDX-License-Identifier: Apache-2.0
 * io.h -- error messages, warnings, memory, reading of files and reference counts: included by every file of
 * libpeft-io. */
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

/* Sets the message of peft_last_error(), which leaves out the middle of a long one, and returns s. */
__attribute__((format(printf, 2, 3))) peft_status io_fail(peft_status s, const char *format, ...);
/* Sets the message "SUBJECT: out of memory"; returns PEFT_E_NOMEM. */
peft_status io_nomem(const char *subject);
/* Puts "name: " before the message of peft_last_error(), unless it begins with that already; returns s. Callers add the
 * name of a file or sample in this way. */
peft_status io_fail_in(peft_status s, const char *name);
/* For messages: the name of a type, "f32"; and type and extents of t, "f32 [2, 3]", in text, which is returned. */
enum { IO_TENSOR_TEXT = 200 };
const char *io_dtype_name(peft_dtype type);
const char *io_tensor_text(const peft_tensor *t, char text[IO_TENSOR_TEXT]);

/* Writes a warning (level 1), or information (level 2), to the log of ctx. */
__attribute__((format(printf, 2, 3))) void io_warn(peft_context *ctx, const char *format, ...);
__attribute__((format(printf, 2, 3))) void io_inform(peft_context *ctx, const char *format, ...);

/* Memory of ctx's allocator, which the caller frees with peft_sys_free(ctx, block); NULL: out of memory. io_alloc:
 * count * size bytes of 0; NULL also where the product overflows. io_copy: a copy of text. io_join: a followed by b.
 * io_folder_of: the path up to its last slash, with it; "" without one. */
void *io_alloc(peft_context *ctx, int64_t count, size_t size);
char *io_copy(peft_context *ctx, const char *text);
char *io_join(peft_context *ctx, const char *a, const char *b);
char *io_folder_of(peft_context *ctx, const char *path);
/* Makes room for one more item in an array that grows. items: the address of the array's pointer, NULL at first; it has
 * `count` items of `size` bytes, and room for *capacity. False: no memory; the array stays as it is. */
bool io_grow(peft_context *ctx, void *items, int64_t count, int64_t *capacity, size_t size);

/* Opens a regular file for reading; the caller closes *fd. PEFT_E_IO. */
peft_status io_open_file(const char *path, int *fd, uint64_t *size);
/* Reads n bytes from this position of a file, less at its end; returns their number, -1: an error (errno). */
int64_t io_read_part(int fd, void *to, size_t n, uint64_t position);
/* Reads all `size` bytes of an open file as io_read_file does; the message of an error begins with path. */
peft_status io_read_open_file(peft_context *ctx, int fd, const char *path, uint64_t size, int64_t limit,
                              uint8_t **data);
/* Reads a regular file into memory of ctx, which the caller frees; data[*size] is 0, so that text is a string.
 * PEFT_E_UNSUPPORTED: the file has more than limit bytes. */
peft_status io_read_file(peft_context *ctx, const char *path, int64_t limit, uint8_t **data, size_t *size);
/* Reads the first max_bytes bytes of a file of any size in the same way; *size is less for a shorter file. */
peft_status io_read_head(peft_context *ctx, const char *path, int64_t max_bytes, uint8_t **data, size_t *size);

/* Reference counts of handles. io_release returns true for the last reference: the caller then frees the object. */
static inline void io_retain(atomic_int *refs) { atomic_fetch_add_explicit(refs, 1, memory_order_relaxed); }
static inline bool io_release(atomic_int *refs)
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}
#endif
