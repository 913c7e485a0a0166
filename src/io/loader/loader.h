/* SPDX-License-Identifier: Apache-2.0
 * loader.h -- the struct behind peft_loader: its options, the cache of images, and the queue of batches that are
 * prepared ahead. */
#ifndef IO_LOADER_H
#define IO_LOADER_H
#include "io/dataset/masks/masks.h"
#include "io/transform/transform.h"
#include <pthread.h>
#include <sys/types.h>

/* The image of a sample, and its mask where the data set has masks (else NULL), as the steps of the transform before
 * the first random one have made them, mostly at the size of the network's input. */
typedef struct io_prepared { peft_image *image; peft_mask *mask; } io_prepared;
void io_prepared_free(io_prepared *p);                        /* an empty one: does nothing */
/* sample [count]: of each sample; empty: not cached. New ones are cached until limit bytes are used; none is
 * removed. full: a sample did not fit. */
typedef struct io_cache {
    peft_context *ctx;
    pthread_mutex_t lock;
    io_prepared *sample;
    int64_t count, limit, used;
    bool full;
} io_cache;
peft_status io_cache_init(io_cache *c, peft_context *ctx, int64_t count, int64_t limit);
void        io_cache_clear(io_cache *c);
/* Sets *out to sample i, which the caller frees; false: it is not cached. */
bool        io_cache_look_up(io_cache *c, int64_t i, io_prepared *out);
bool        io_cache_full(io_cache *c);
/* Caches sample i, unless another thread has done so. False: it exceeds the limit. */
bool        io_cache_add(io_cache *c, int64_t i, const io_prepared *p);

/* A batch in preparation. While threads make its samples, only images and the members from next on change. */
typedef struct io_batch {
    int64_t epoch, number, count;                             /* number: in the epoch; count: samples */
    int64_t *sample;                                          /* [batch]: indices in the data set */
    int64_t *repeat;                                          /* [batch]: how often it came before in the epoch */
    float *images;                                            /* [batch, 3, height, width] */
    int16_t *masks;                                           /* [batch, height, width, planes], as in peft_mask; NULL:
                                                                 the data set has no masks */
    int64_t next;                                             /* the next sample to begin; all before it are begun */
    int64_t done;                                             /* number of samples that are finished */
    peft_status status;                                       /* PEFT_OK, or the error of sample `failed` */
    int64_t failed;                                           /* the first sample of the batch that failed */
    char message[1024];                                       /* the error message of sample `failed` */
} io_batch;

typedef struct io_loader_options {
    int64_t batch, seed, threads, cache;
    bool shuffle, drop_last, train, balanced;
    double mixup;
} io_loader_options;

struct peft_loader {
    peft_context *ctx;                                        /* of the data set */
    peft_dataset *data;
    peft_transform *transform;
    io_loader_options options;
    io_cache cache;
    int64_t floats;                                           /* in one image: 3 * height * width */
    int64_t pixels, planes;                                   /* of one mask: height * width, and values of a pixel; 0:
                                                                 the data set has no masks */
    int64_t *order, order_epoch;                              /* order of samples in that epoch; -1: not made yet */
    /* With the option balanced (else NULL): how often a sample of the order came before; samples by class, the first of
     * each class in them, and scratch for classes (balance.c). */
    int64_t *repeat, *member, *first_of, *present;
    /* The queue: `queued` consecutive batches in slot[first], slot[first + 1], ..., where slot[0] follows the last
     * slot. Only the caller's thread adds and removes batches, and only under the lock. */
    pthread_mutex_t reading;                                  /* held while a slice is read (prepare.c) */
    pthread_mutex_t lock;
    pthread_cond_t work, finished;                            /* signal: samples to make; a batch may be complete */
    io_batch *slot;
    int64_t slots, first, queued;
    pthread_t *thread;
    int64_t started;                                          /* the number of threads that run */
    pid_t process;                                            /* in which they run; 0: none was started yet */
    bool stop;                                                /* tells the threads to end */
};

/* Fills samples [batch] with the indices of the samples of batch `number`, which the epoch must have, and repeat
 * [batch] (may be NULL) with how often each came before in the epoch; returns how many there are. */
int64_t     io_batch_samples(peft_loader *l, int64_t epoch, int64_t number, int64_t *samples, int64_t *repeat);
/* The option balanced: makes what the orders need, which io_balance_free frees, also after a failure; makes l->order
 * and l->repeat of an epoch. The data set has one label for each sample. */
peft_status io_balance_init(peft_loader *l);
void        io_balance_free(peft_loader *l);
void        io_balance_order(peft_loader *l, int64_t epoch);
/* In keys of random numbers in place of the epoch: a sample that comes again in an epoch is augmented differently. */
int64_t     io_epoch_key(const io_batch *b, int64_t k);
/* Makes b the batch (epoch, number): sets its samples. Their images are not made yet. */
void        io_batch_plan(peft_loader *l, int64_t epoch, int64_t number, io_batch *b);
/* Allocate the slots and start the threads; stop the threads and free the slots. */
peft_status io_queue_start(peft_loader *l);
void        io_queue_stop(peft_loader *l);
/* Sets *out to sample i (prepare.c), which the caller frees, also after a failure. */
peft_status io_loader_prepare(peft_loader *l, int64_t i, io_use use, io_prepared *out);
/* Masks as labels (masks.c). io_loader_check_maps: whether labels are i64 [n, size, size] or f32 [n, size, size,
 * classes]; PEFT_E_DTYPE, PEFT_E_SHAPE. io_loader_copy_maps: writes the masks of a finished batch to them. */
peft_status io_loader_check_maps(const peft_loader *l, const peft_tensor *labels);
void        io_loader_copy_maps(const peft_loader *l, const io_batch *b, peft_tensor *labels);
/* Waits until the batch (epoch, number), 0 <= number < batches, is complete. *out is valid until
 * io_queue_remove_first, which removes the batch from the queue and adds the next ones. */
peft_status io_queue_get(peft_loader *l, int64_t epoch, int64_t number, io_batch **out);
void        io_queue_remove_first(peft_loader *l);

/* Mixup of a batch, in place: row k of images [count, floats] and of targets [count, classes] (or NULL) becomes
 * share * row[k] + (1 - share) * row[k + 1]; the last row is blended with the first. share is drawn from Beta(mixup,
 * mixup) by a generator with the key (seed, epoch, id of sample k). */
void        io_mixup(const peft_loader *l, const io_batch *b, float *images, float *targets);
#endif
