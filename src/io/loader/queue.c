/* SPDX-License-Identifier: Apache-2.0
 * queue.c -- prepares batches ahead. The caller's thread plans which batches come next; the worker threads, and the
 * caller while it waits, make their samples one by one. A sample depends on (seed, epoch, sample) alone, so every
 * thread makes the same one. */
#include "io/loader/loader.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static peft_status make_sample(peft_loader *l, const io_batch *b, int64_t k)
{
    peft_image *im;
    int64_t i = b->sample[k];
    float *out = b->images + k * l->floats;
    peft_status s = io_cache_load(&l->cache, l->data, i, &im);
    if (s) return s;
    s = l->o.train ? peft_transform_apply_train(l->transform, im, (uint64_t)l->o.seed, b->epoch,
                                                peft_dataset_id(l->data, i), out)
                   : peft_transform_apply(l->transform, im, out);
    peft_image_free(im);
    return s ? io_fail_in(s, peft_dataset_name(l->data, i)) : PEFT_OK;
}

/* Called with the lock, which is released while the sample is made. A batch reports the failure of its lowest sample
 * that failed, whichever thread was first. */
static void take_sample(peft_loader *l, io_batch *b)
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
    if (++b->done == b->next) pthread_cond_broadcast(&l->finished);
}

/* In a forked process the threads are gone, also in the middle of what they did and of the locks they held. Batches in
 * the making are dropped and made anew by the caller alone. */
static void survive_fork(peft_loader *l)
{
    if (l->process == getpid()) return;
    l->process = getpid();
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->cache.lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->finished, NULL);
    l->first = l->queued = l->started = 0;
    l->order_epoch = -1;
}

static io_batch *queued_at(peft_loader *l, int64_t i) { return &l->slot[(l->first + i) % l->slots]; }

static io_batch *next_work(peft_loader *l)
{
    for (int64_t i = 0; i < l->queued; i++)
        if (queued_at(l, i)->next < queued_at(l, i)->count) return queued_at(l, i);
    return NULL;
}

static void *worker(void *user)
{
    peft_loader *l = user;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        io_batch *b = next_work(l);
        if (b) take_sample(l, b);
        else pthread_cond_wait(&l->work, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* Workers block all signals, so that the program's own threads handle them. Where the system refuses threads, the work
 * is done by those that were started and by the caller, which works while it waits. */
static void start_threads(peft_loader *l)
{
    sigset_t all, old;
    int e = 0;
    l->process = getpid();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (!e && l->started < l->o.threads)
        if (!(e = pthread_create(&l->thread[l->started], NULL, worker, l))) l->started++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (e) io_warn(l->ctx, "loader: the system gave %lld of %lld threads; batches are the same, but take longer",
                   (long long)l->started, (long long)l->o.threads);
}

static peft_status make_slots(peft_loader *l)
{
    int64_t floats;
    l->slots = l->o.threads ? 2 + l->o.threads / l->o.batch : 1;
    l->slot = io_alloc(l->ctx, l->slots, sizeof *l->slot);
    l->thread = io_alloc(l->ctx, l->o.threads, sizeof *l->thread);
    if (!l->slot || !l->thread || __builtin_mul_overflow(l->o.batch, l->floats, &floats)) return io_nomem("loader");
    for (int64_t i = 0; i < l->slots; i++) {
        l->slot[i].images = io_alloc(l->ctx, floats, sizeof(float));
        l->slot[i].sample = io_alloc(l->ctx, l->o.batch, sizeof(int64_t));
        if (!l->slot[i].images || !l->slot[i].sample) return io_nomem("loader");
    }
    return PEFT_OK;
}

peft_status io_queue_begin(peft_loader *l)
{
    peft_status s = make_slots(l);
    if (!s) start_threads(l);
    return s;
}

void io_queue_end(peft_loader *l)
{
    if (l->process) survive_fork(l);
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int64_t i = 0; i < l->started; i++) pthread_join(l->thread[i], NULL);
    for (int64_t i = 0; l->slot && i < l->slots; i++) {
        peft_sys_free(l->ctx, l->slot[i].images);
        peft_sys_free(l->ctx, l->slot[i].sample);
    }
    peft_sys_free(l->ctx, l->slot);
    peft_sys_free(l->ctx, l->thread);
}

/* Called with the lock: empties the queue. No further sample is begun; those that threads are making are waited for. */
static void drop_all(peft_loader *l)
{
    for (int64_t i = 0; i < l->queued; i++) queued_at(l, i)->count = queued_at(l, i)->next;
    for (int64_t i = 0; i < l->queued; i++)
        while (queued_at(l, i)->done < queued_at(l, i)->count) pthread_cond_wait(&l->finished, &l->lock);
    l->queued = 0;
}

/* Called with the lock: fills the free slots with the batches that follow the last one in the queue, or that begin at
 * (epoch, number) where it is empty. */
static void plan_ahead(peft_loader *l, int64_t epoch, int64_t number)
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
    survive_fork(l);
    pthread_mutex_lock(&l->lock);
    if (!l->queued || queued_at(l, 0)->epoch != epoch || queued_at(l, 0)->number != number) {
        drop_all(l);
        plan_ahead(l, epoch, number);
    }
    io_batch *b = queued_at(l, 0);
    while (b->done < b->count)
        if (b->next < b->count) take_sample(l, b);
        else pthread_cond_wait(&l->finished, &l->lock);
    peft_status s = b->status;
    if (s) {
        drop_all(l);                                          /* a second call makes the batch again */
        io_fail(s, "%s", b->message);
    }
    pthread_mutex_unlock(&l->lock);
    if (!s) *out = b;
    return s;
}

void io_queue_done(peft_loader *l)
{
    pthread_mutex_lock(&l->lock);
    int64_t epoch = queued_at(l, 0)->epoch, number = queued_at(l, 0)->number + 1;
    l->first = (l->first + 1) % l->slots;
    l->queued--;
    if (l->o.threads) plan_ahead(l, epoch, number);
    pthread_mutex_unlock(&l->lock);
}
