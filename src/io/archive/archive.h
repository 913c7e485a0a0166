/* SPDX-License-Identifier: Apache-2.0
 * archive.h -- an open zip of images, read from any number of threads at once, before and after a fork. */
#ifndef IO_ARCHIVE_H
#define IO_ARCHIVE_H
#include "io/archive/zip.h"
#include <pthread.h>

typedef struct io_archive {
    pthread_mutex_t lock;
    peft_context *ctx;
    zip_t *zip;
    char *path;
    atomic_int process;                                       /* id of the process that lock and zip belong to */
} io_archive;

peft_status io_archive_open(peft_context *ctx, const char *path, io_archive **out);
void        io_archive_free(io_archive *a);                   /* NULL is fine */
peft_status io_archive_size(io_archive *a, int64_t member, int64_t *size);     /* unpacked */
/* The member in memory of the archive's context, which the caller gives back. */
peft_status io_archive_read(io_archive *a, int64_t member, uint8_t **data, size_t *size);
#endif
