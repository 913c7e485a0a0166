/* SPDX-License-Identifier: Apache-2.0
 * plan.c -- which samples a batch has: the order of samples in an epoch, cut into batches. */
#include "io/loader/loader.h"
#include "io/rng.h"

int64_t peft_loader_batch_size(const peft_loader *l) { return l ? l->options.batch : 0; }

int64_t peft_loader_batches(const peft_loader *l)
{
    if (!l) return 0;
    const int64_t batch = l->options.batch;
    return l->options.drop_last ? l->data->count / batch : (l->data->count + batch - 1) / batch;
}

/* Makes the order of the samples in an epoch, unless l->order holds it already. */
static void make_order(peft_loader *l, int64_t epoch)
{
    if (l->order_epoch == epoch) return;
    io_rng g = io_rng_make(IO_RNG_ORDER, (uint64_t)l->options.seed, epoch, IO_RNG_UNUSED);
    for (int64_t i = 0; i < l->data->count; i++) l->order[i] = i;
    if (l->options.balanced) io_balance_order(l, epoch);
    else if (l->options.shuffle) io_rng_shuffle(&g, l->order, l->data->count);
    l->order_epoch = epoch;
}

int64_t io_batch_samples(peft_loader *l, int64_t epoch, int64_t number, int64_t *samples, int64_t *repeat)
{
    const int64_t start = number * l->options.batch, remaining = l->data->count - start;
    const int64_t count = remaining < l->options.batch ? remaining : l->options.batch;
    make_order(l, epoch);
    memcpy(samples, l->order + start, (size_t)count * sizeof *samples);
    for (int64_t k = 0; repeat && k < count; k++) repeat[k] = l->repeat ? l->repeat[start + k] : 0;
    return count;
}

void io_batch_plan(peft_loader *l, int64_t epoch, int64_t number, io_batch *b)
{
    b->epoch = epoch;
    b->number = number;
    b->count = io_batch_samples(l, epoch, number, b->sample, b->repeat);
    b->next = b->done = 0;
    b->status = PEFT_OK;
}

int64_t io_epoch_key(const io_batch *b, int64_t k)
{
    return b->repeat[k] ? b->epoch ^ (int64_t)io_rng_scramble((uint64_t)b->repeat[k]) : b->epoch;
}
