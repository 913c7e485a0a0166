/* SPDX-License-Identifier: Apache-2.0
 * held.h -- io_held: the file whose slices were read last, in memory, so that a volume is not read and unpacked again
 * for each of its slices. */
#ifndef IO_HELD_H
#define IO_HELD_H
#include "io/dataset/dataset.h"

typedef struct io_held io_held;
/* The bytes of a file; those of a .nii.gz are unpacked. */
typedef struct io_held_file {
    peft_context *ctx;
    atomic_int refs;
    int64_t sample;                                           /* of the opened set */
    uint8_t *data;
    size_t size;
} io_held_file;

peft_status io_held_new(peft_context *ctx, io_held **out);
void        io_held_free(io_held *h);                         /* NULL: does nothing */
/* Sets *out to the file of a sample of an opened set, for io_held_return. Any number of threads may call it: one reads
 * the file, the others wait for it. *out NULL: the file is not held, as the store has no files, this is a forked
 * process, it cannot be read, its format reads parts of it, or it has more than 1 GiB; the sample is then read by its
 * store. */
peft_status io_held_take(io_held *h, const peft_dataset *opened, int64_t sample, io_held_file **out);
void        io_held_return(io_held_file *f);
#endif
