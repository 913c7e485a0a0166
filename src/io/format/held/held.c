/* SPDX-License-Identifier: Apache-2.0
 * held.c -- the file whose slices were read last, in memory (held.h). */
#include "io/format/held/held.h"
#include "io/format/nifti/stream.h"
#include <pthread.h>
#include <unistd.h>

#define MAX_HELD_BYTES (1ll << 30)

struct io_held {
    peft_context *ctx;
    pthread_mutex_t lock;
    pid_t process;                                            /* that may use the lock: a fork may find it locked */
    io_held_file *file;                                       /* one reference; NULL: none is held */
};

peft_status io_held_new(peft_context *ctx, io_held **out)
{
    io_held *h = io_alloc(ctx, 1, sizeof *h);
    if (!h || pthread_mutex_init(&h->lock, NULL)) {
        peft_sys_free(ctx, h);
        return io_nomem("slices");
    }
    h->ctx = ctx;
    h->process = getpid();
    *out = h;
    return PEFT_OK;
}

void io_held_return(io_held_file *f)
{
    if (!f || !io_release(&f->refs)) return;
    peft_sys_free(f->ctx, f->data);
    peft_sys_free(f->ctx, f);
}

void io_held_free(io_held *h)
{
    if (!h) return;
    io_held_return(h->file);
    pthread_mutex_destroy(&h->lock);
    peft_sys_free(h->ctx, h);
}

/* Replaces the bytes of a file of gzip by the unpacked ones, unless they are too many or damaged. */
static peft_status unpack(io_held_file *f)
{
    uint8_t *data;
    size_t size;
    if (!io_is_gzip(f->data, f->size)) return PEFT_OK;
    peft_status s = io_stream_unpack(f->ctx, f->data, f->size, MAX_HELD_BYTES, &data, &size);
    if (s) return s == PEFT_E_NOMEM ? s : PEFT_OK;
    peft_sys_free(f->ctx, f->data);
    f->data = data;
    f->size = size;
    return PEFT_OK;
}

/* Reads a file into h->file; none is held where it cannot be read. */
static peft_status read_file(io_held *h, io_held_read read, const void *owner, int64_t i)
{
    io_held_return(h->file);
    io_held_file *f = h->file = io_alloc(h->ctx, 1, sizeof *f);
    if (!f) return io_nomem("slices");
    f->ctx = h->ctx;
    f->number = i;
    atomic_init(&f->refs, 1);
    peft_status s = read(owner, i, MAX_HELD_BYTES, &f->data, &f->size);
    if (!s) s = unpack(f);
    if (!s) return PEFT_OK;
    io_held_return(f);
    h->file = NULL;
    return s == PEFT_E_NOMEM ? s : PEFT_OK;
}

peft_status io_held_take(io_held *h, io_held_read read, const void *owner, int64_t i, io_held_file **out)
{
    peft_status s = PEFT_OK;
    *out = NULL;
    if (getpid() != h->process) return PEFT_OK;
    pthread_mutex_lock(&h->lock);
    if (!h->file || h->file->number != i) s = read_file(h, read, owner, i);
    if (!s && h->file) {
        io_retain(&h->file->refs);
        *out = h->file;
    }
    pthread_mutex_unlock(&h->lock);
    return s;
}
