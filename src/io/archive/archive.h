/* SPDX-License-Identifier: Apache-2.0
 * archive.h -- io_archive: an open zip of images, which any number of threads may read at once, also in a process that
 * forked after it was opened. zip_folder.c reads the samples of a data set from it. */
#ifndef IO_ARCHIVE_H
#define IO_ARCHIVE_H
#include "io/archive/zip.h"
#include <pthread.h>

typedef struct io_archive {
    pthread_mutex_t lock;
    peft_context *ctx;
    zip_t *zip;
    char *path;
    atomic_int process;                                       /* id of the process in which lock and zip may be used */
} io_archive;

peft_status io_archive_open(peft_context *ctx, const char *path, io_archive **out);
void        io_archive_free(io_archive *a);                   /* NULL is fine */
/* member: index of an entry of the zip. *size: its unpacked bytes. */
peft_status io_archive_size(io_archive *a, int64_t member, int64_t *size);
/* Unpacks the member into memory of the archive's context, which the caller frees. */
peft_status io_archive_read(io_archive *a, int64_t member, uint8_t **data, size_t *size);
#endif
