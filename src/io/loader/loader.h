/* SPDX-License-Identifier: Apache-2.0
 * loader.h -- the struct behind peft_loader: batches, the cache of decoded images, the queue of batches in
 * preparation. */
#ifndef IO_LOADER_H
#define IO_LOADER_H
#include "io/dataset/dataset.h"
#include "io/transform/transform.h"
#include <pthread.h>
#include <sys/types.h>

/* Decoded images by sample. Images are kept until limit bytes are used, and none is evicted. */
typedef struct io_cache {
    peft_context *ctx;
    pthread_mutex_t lock;
    peft_image **image;
    int64_t count, limit, used;
} io_cache;
peft_status io_cache_begin(io_cache *c, peft_context *ctx, int64_t count, int64_t limit);
void        io_cache_end(io_cache *c);
/* The image of sample i of d, from the cache, or loaded and kept if there is room. The caller frees *out. */
peft_status io_cache_load(io_cache *c, const peft_dataset *d, int64_t i, peft_image **out);

/* A batch in preparation. While samples are being made, only next, done, failed, status, message and images change. */
typedef struct io_batch {
    int64_t epoch, number, count, *sample;                    /* sample [batch]: indices in the data set */
    float *images;                                            /* [batch, 3, size, size] */
    int64_t next, done, failed;                               /* samples begun; samples made; the lowest that failed */
    peft_status status;
    char message[1024];
} io_batch;

typedef struct io_loader_options {
    int64_t batch, seed, threads, cache;
    bool shuffle, drop_last, train;
    double mixup;
} io_loader_options;

struct peft_loader {
    peft_context *ctx;                                        /* of data */
    peft_dataset *data;
    peft_transform *transform;
    io_loader_options o;
    io_cache cache;
    int64_t floats;                                           /* in one image: 3 * size * size */
    int64_t order_epoch, *order;                              /* order of samples in that epoch; -1: none yet */
    /* Batches slot[first], slot[first + 1], ... (cyclic) are `queued` consecutive ones; only the caller's thread
     * changes the queue, and only under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    io_batch *slot;
    int64_t slots, first, queued, started;                    /* started: threads running */
    pthread_t *thread;
    pid_t process;                                            /* in which the threads run; 0: none were started */
    bool stop;
};

/* Writes the samples of batch `number`, which the epoch has, and returns how many there are. */
int64_t     io_batch_samples(peft_loader *l, int64_t epoch, int64_t number, int64_t *samples);
/* Makes b the batch (epoch, number): sets its samples, none of which is made yet. */
void        io_batch_plan(peft_loader *l, int64_t epoch, int64_t number, io_batch *b);
peft_status io_queue_begin(peft_loader *l);
void        io_queue_end(peft_loader *l);
/* Waits for the batch (epoch, number), 0 <= number < batches. io_queue_done frees its slot and plans the next
 * batches. */
peft_status io_queue_get(peft_loader *l, int64_t epoch, int64_t number, io_batch **out);
void        io_queue_done(peft_loader *l);

/* Mixup of a batch in place, images [count, floats], targets [count, classes] or NULL: sample k becomes
 * share * k + (1 - share) * (k + 1), the last one's partner is the first; share from Beta(mixup, mixup) by
 * (seed, epoch, sample k). */
void        io_mix(const peft_loader *l, const io_batch *b, float *images, float *targets);
#endif
