/* SPDX-License-Identifier: Apache-2.0
 * io.h -- what every file of libpeft-io shares: failing, allocating, reading files, option texts. */
#ifndef IO_IO_H
#define IO_IO_H
#include <peft/file.h>
#include <peft/io.h>
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

/* A warning (level 1) for the log of peft_io_set_log. */
__attribute__((format(printf, 1, 2))) void io_warn(const char *format, ...);

/* count * size zeroed bytes (at least one), NULL where that overflows or memory is short; freed with free(). */
void *io_alloc(int64_t count, size_t size);
/* A copy of a followed by b; NULL: no memory. */
char *io_join(const char *a, const char *b);

/* The whole of a regular file, with one 0 byte after it; PEFT_E_UNSUPPORTED when it has more than limit bytes. */
peft_status io_read_file(const char *path, int64_t limit, uint8_t **data, size_t *size);
/* The same for the first max_bytes bytes of a file, or for all of a shorter one. */
peft_status io_read_head(const char *path, int64_t max_bytes, uint8_t **data, size_t *size);

/* A table of up to 64 settings; it ends with a NULL name. The value lies at offset in the caller's struct and is
 * 'i' int64_t, 'b' bool, 'f' double, '2' double[2] rising, '3' double[3], 'c' int (an index in choices "a|b|c"),
 * 's' io_side (a word of choices, N or HxW), 'r' io_range ("full", lo:hi or pA:pB). Numbers lie in lo..hi (lo == hi:
 * unbounded). */
typedef struct io_key { const char *name; char type; size_t offset; double lo, hi; const char *choices; } io_key;
/* word: the index in choices, or -1: then height and width are those of HxW; N is height N and width 0. */
typedef struct io_side { int word; int64_t height, width; } io_side;
typedef enum io_range_kind { IO_RANGE_FULL, IO_RANGE_VALUES, IO_RANGE_PERCENTILES } io_range_kind;
typedef struct io_range { io_range_kind kind; double end[2]; } io_range;      /* end[0] < end[1]; percentiles: 0..100 */
/* Parses text (NULL: no settings) and overwrites the members of values that it sets. Messages begin with "who: ". */
peft_status io_spec_parse(const io_key *keys, const char *text, const char *who, void *values);
/* The same; bit i of *seen becomes 1 where text sets keys[i]. */
peft_status io_spec_parse_seen(const io_key *keys, const char *text, const char *who, void *values, uint64_t *seen);
/* "name=value,..." for all keys, in which numbers read back as the same value in every locale; the caller frees
 * *text. */
peft_status io_spec_print(const io_key *keys, const void *values, char **text);
/* v with as many digits as reading it back needs and a decimal point in every locale; returns text. */
const char *io_number(char text[32], double v);
/* The index of word in "a|b|c", -1: none. */
int io_choice(const char *choices, const char *word, size_t length);
bool io_parse_int(const char *s, size_t length, int64_t *out);

static inline void io_retain(atomic_int *refs) { atomic_fetch_add_explicit(refs, 1, memory_order_relaxed); }
static inline bool io_release(atomic_int *refs)                               /* true: that was the last one */
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}
#endif
