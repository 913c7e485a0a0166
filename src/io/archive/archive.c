/* SPDX-License-Identifier: Apache-2.0
 * archive.c -- an open zip of images. libzip allows one thread at a time to use a zip_t: members are unpacked under a
 * lock, and callers decode them outside it. */
#include "io/archive/archive.h"
#include <sched.h>
#include <unistd.h>

enum { TAKING_OVER = -1 };                                    /* value of process while a thread runs take_over */

peft_status io_archive_open(peft_context *ctx, const char *path, io_archive **out)
{
    io_archive *a = io_alloc(ctx, 1, sizeof *a);
    if (!a || !(a->path = io_copy(ctx, path)) || pthread_mutex_init(&a->lock, NULL)) {
        if (a) peft_sys_free(ctx, a->path);
        peft_sys_free(ctx, a);
        return io_nomem(path);
    }
    a->ctx = ctx;
    atomic_init(&a->process, getpid());
    peft_status s = io_zip_open(ctx, path, &a->zip);
    if (s) {
        pthread_mutex_destroy(&a->lock);
        peft_sys_free(ctx, a->path);
        peft_sys_free(ctx, a);
    } else *out = a;
    return s;
}

void io_archive_free(io_archive *a)
{
    if (!a) return;
    zip_discard(a->zip);
    pthread_mutex_destroy(&a->lock);
    peft_sys_free(a->ctx, a->path);
    peft_sys_free(a->ctx, a);
}

/* Makes the archive usable in a forked process. If a thread of the parent held the lock during the fork, the lock stays
 * locked here and the zip_t is in the middle of a read: the archive is then opened again. The old zip_t is leaked on
 * purpose, since closing it in that state could crash. */
static peft_status take_over(io_archive *a)
{
    const bool unlocked = !pthread_mutex_trylock(&a->lock);
    if (unlocked) pthread_mutex_unlock(&a->lock);
    else {
        zip_t *reopened;
        peft_status s = io_zip_open(a->ctx, a->path, &reopened);
        if (s) return s;
        a->zip = reopened;
        pthread_mutex_init(&a->lock, NULL);
    }
    return PEFT_OK;
}

/* Called before every use of lock and zip. In a forked process the first caller runs take_over while others wait. */
static peft_status ensure_owned(io_archive *a)
{
    const int self = (int)getpid();
    for (int owner; (owner = atomic_load(&a->process)) != self;) {
        if (owner == TAKING_OVER || !atomic_compare_exchange_strong(&a->process, &owner, TAKING_OVER)) {
            sched_yield();
            continue;
        }
        peft_status s = take_over(a);
        atomic_store(&a->process, s ? owner : self);
        if (s) return s;
    }
    return PEFT_OK;
}

/* libzip is called under the lock, here and in io_archive_read. */
peft_status io_archive_size(io_archive *a, int64_t member, int64_t *size)
{
    zip_stat_t st;
    peft_status s = ensure_owned(a);
    if (s) return s;
    pthread_mutex_lock(&a->lock);
    if (zip_stat_index(a->zip, (zip_uint64_t)member, 0, &st)) s = io_fail(PEFT_E_FORMAT, "%s", zip_strerror(a->zip));
    else *size = (int64_t)st.size;
    pthread_mutex_unlock(&a->lock);
    return s;
}

peft_status io_archive_read(io_archive *a, int64_t member, uint8_t **data, size_t *size)
{
    peft_status s = ensure_owned(a);
    if (s) return s;
    pthread_mutex_lock(&a->lock);
    s = io_zip_read(a->ctx, a->zip, member, data, size);
    pthread_mutex_unlock(&a->lock);
    return s;
}
