/* SPDX-License-Identifier: Apache-2.0
 * held.h -- io_held: the file whose slices were read last, in memory, so that a volume is not read and unpacked again
 * for each of its slices: of images, and of masks. */
#ifndef IO_HELD_H
#define IO_HELD_H
#include "io/io.h"

typedef struct io_held io_held;
/* The bytes of a file; those of a .nii.gz are unpacked. */
typedef struct io_held_file {
    peft_context *ctx;
    atomic_int refs;
    int64_t number;                                           /* of the file */
    uint8_t *data;
    size_t size;
} io_held_file;

peft_status io_held_new(peft_context *ctx, io_held **out);
void        io_held_free(io_held *h);                         /* NULL: does nothing */
/* Reads file number i of owner into memory, which the caller frees. A failure other than PEFT_E_NOMEM: it cannot be
 * held, as it has more than limit bytes, its format reads parts of it, or it cannot be read. */
typedef peft_status (*io_held_read)(const void *owner, int64_t i, int64_t limit, uint8_t **data, size_t *size);
/* Sets *out to file number i, for io_held_return. Any number of threads may call it: one reads the file, the others
 * wait for it. *out NULL: the file is not held, as above or because this is a forked process; it is then read without
 * io_held. */
peft_status io_held_take(io_held *h, io_held_read read, const void *owner, int64_t i, io_held_file **out);
void        io_held_return(io_held_file *f);
#endif
