/* SPDX-License-Identifier: Apache-2.0
 * queue.c -- prepares batches ahead (prefetch). The caller's thread decides which batches come next; the threads of the
 * loader, and the caller while it waits, make the samples one by one. A sample depends on (seed, epoch, sample) alone,
 * so it does not matter which thread makes it. */
#include "io/loader/loader.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Writes the mask of sample k of a batch. */
static peft_status finish_mask(peft_loader *l, const io_batch *b, int64_t k, const peft_mask *prepared, io_use use)
{
    peft_mask *mask;
    peft_status s = io_transform_finish_mask(l->transform, prepared, use, &mask);
    if (s) return s;
    memcpy(b->masks + k * l->pixels * l->planes, mask->value, io_mask_bytes(mask));
    peft_mask_free(mask);
    return PEFT_OK;
}

/* Makes the input of sample k of a batch, and its mask. */
static peft_status make_sample(peft_loader *l, const io_batch *b, int64_t k)
{
    io_prepared p;
    const int64_t i = b->sample[k];
    const io_use use = { l->options.train, (uint64_t)l->options.seed, io_epoch_key(b, k), peft_dataset_id(l->data, i) };
    peft_status s = io_loader_prepare(l, i, use, &p);
    if (!s) s = io_transform_finish(l->transform, p.image, use, b->images + k * l->floats);
    if (!s && p.mask) s = finish_mask(l, b, k, p.mask, use);
    io_prepared_free(&p);
    return s ? io_fail_in(s, peft_dataset_name(l->data, i)) : PEFT_OK;
}

/* Makes the next sample of a batch. Called with the lock, which is released meanwhile. If samples fail, the batch
 * reports the first of them by its place in the batch, not by time, so that the message does not depend on threads. */
static void make_next_sample(peft_loader *l, io_batch *b)
{
    int64_t k = b->next++;
    pthread_mutex_unlock(&l->lock);
    peft_status s = make_sample(l, b, k);
    pthread_mutex_lock(&l->lock);
    if (s && (!b->status || k < b->failed)) {
        b->status = s;
        b->failed = k;
        snprintf(b->message, sizeof b->message, "%s", peft_last_error());
    }
    if (++b->done == b->next) pthread_cond_broadcast(&l->finished);           /* no sample of b is in work */
}

/* In a forked process the threads do not exist, and locks that they held during the fork stay locked. Makes new locks
 * and empties the queue; from now on the caller alone makes the samples. */
static void reset_after_fork(peft_loader *l)
{
    if (l->process == getpid()) return;
    l->process = getpid();
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->cache.lock, NULL);
    pthread_mutex_init(&l->reading, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->finished, NULL);
    l->first = l->queued = l->started = 0;
    l->order_epoch = -1;
}

/* Batch i of the queue. */
static io_batch *queued_at(peft_loader *l, int64_t i) { return &l->slot[(l->first + i) % l->slots]; }

/* The first batch in the queue with samples that no thread has begun; NULL: there is none. */
static io_batch *batch_with_work(peft_loader *l)
{
    for (int64_t i = 0; i < l->queued; i++)
        if (queued_at(l, i)->next < queued_at(l, i)->count) return queued_at(l, i);
    return NULL;
}

/* The function of the threads: makes samples until l->stop. */
static void *worker(void *user)
{
    peft_loader *l = user;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        io_batch *b = batch_with_work(l);
        if (b) make_next_sample(l, b);
        else pthread_cond_wait(&l->work, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* The threads block all signals, which the program's own threads then handle. If the system refuses a thread, the
 * loader goes on with those that were started and with the caller, which makes samples while it waits. */
static void start_threads(peft_loader *l)
{
    sigset_t all, old;
    int error = 0;
    l->process = getpid();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (!error && l->started < l->options.threads)
        if (!(error = pthread_create(&l->thread[l->started], NULL, worker, l))) l->started++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        io_warn(l->ctx, "loader: only %lld of %lld threads could be started; batches are the same, but take longer",
                (long long)l->started, (long long)l->options.threads);
}

/* One slot without threads. With threads: the batch that the caller reads, the next one, and more if a batch has fewer
 * samples than there are threads. */
static peft_status make_slots(peft_loader *l)
{
    int64_t floats, values;
    l->slots = l->options.threads ? 2 + l->options.threads / l->options.batch : 1;
    l->slot = io_alloc(l->ctx, l->slots, sizeof *l->slot);
    l->thread = io_alloc(l->ctx, l->options.threads, sizeof *l->thread);
    if (!l->slot || !l->thread || __builtin_mul_overflow(l->options.batch, l->floats, &floats) ||
        __builtin_mul_overflow(l->options.batch * l->pixels, l->planes, &values))
        return io_nomem("loader");
    for (int64_t i = 0; i < l->slots; i++) {
        l->slot[i].images = io_alloc(l->ctx, floats, sizeof(float));
        l->slot[i].sample = io_alloc(l->ctx, l->options.batch, sizeof(int64_t));
        l->slot[i].repeat = io_alloc(l->ctx, l->options.batch, sizeof(int64_t));
        if (l->planes) l->slot[i].masks = io_alloc(l->ctx, values, sizeof(int16_t));
        if (!l->slot[i].images || !l->slot[i].sample || !l->slot[i].repeat || (l->planes && !l->slot[i].masks))
            return io_nomem("loader");
    }
    return PEFT_OK;
}

peft_status io_queue_start(peft_loader *l)
{
    peft_status s = make_slots(l);
    if (!s) start_threads(l);
    return s;
}

/* Also frees what an io_queue_start that failed has allocated; process is 0 if it started no threads. */
void io_queue_stop(peft_loader *l)
{
    if (l->process) reset_after_fork(l);
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int64_t i = 0; i < l->started; i++) pthread_join(l->thread[i], NULL);
    for (int64_t i = 0; l->slot && i < l->slots; i++) {
        peft_sys_free(l->ctx, l->slot[i].images);
        peft_sys_free(l->ctx, l->slot[i].masks);
        peft_sys_free(l->ctx, l->slot[i].sample);
        peft_sys_free(l->ctx, l->slot[i].repeat);
    }
    peft_sys_free(l->ctx, l->slot);
    peft_sys_free(l->ctx, l->thread);
}

/* Called with the lock: empties the queue. Begins no further sample, and waits for those that threads are making. */
static void clear_queue(peft_loader *l)
{
    for (int64_t i = 0; i < l->queued; i++) queued_at(l, i)->count = queued_at(l, i)->next;
    for (int64_t i = 0; i < l->queued; i++)
        while (queued_at(l, i)->done < queued_at(l, i)->count) pthread_cond_wait(&l->finished, &l->lock);
    l->queued = 0;
}

/* Called with the lock: fills the free slots with the batches after the last one in the queue; if the queue is empty,
 * with (epoch, number) and those after it. */
static void fill_queue(peft_loader *l, int64_t epoch, int64_t number)
{
    if (l->queued) {
        epoch = queued_at(l, l->queued - 1)->epoch;
        number = queued_at(l, l->queued - 1)->number + 1;
    }
    for (; l->queued < l->slots; l->queued++, number++) {
        if (number == peft_loader_batches(l)) epoch++, number = 0;
        io_batch_plan(l, epoch, number, queued_at(l, l->queued));
    }
    pthread_cond_broadcast(&l->work);
}

peft_status io_queue_get(peft_loader *l, int64_t epoch, int64_t number, io_batch **out)
{
    reset_after_fork(l);
    pthread_mutex_lock(&l->lock);
    if (!l->queued || queued_at(l, 0)->epoch != epoch || queued_at(l, 0)->number != number) {
        clear_queue(l);
        fill_queue(l, epoch, number);
    }
    io_batch *b = queued_at(l, 0);
    while (b->done < b->count)
        if (b->next < b->count) make_next_sample(l, b);
        else pthread_cond_wait(&l->finished, &l->lock);
    peft_status s = b->status;
    if (s) {
        clear_queue(l);                                       /* so that a second call makes the batch again */
        io_fail(s, "%s", b->message);
    }
    pthread_mutex_unlock(&l->lock);
    if (!s) *out = b;
    return s;
}

/* Removes the first batch; with threads, adds the batches after it, so that they are made meanwhile. */
void io_queue_remove_first(peft_loader *l)
{
    pthread_mutex_lock(&l->lock);
    int64_t epoch = queued_at(l, 0)->epoch, number = queued_at(l, 0)->number + 1;
    l->first = (l->first + 1) % l->slots;
    l->queued--;
    if (l->options.threads) fill_queue(l, epoch, number);
    pthread_mutex_unlock(&l->lock);
}
