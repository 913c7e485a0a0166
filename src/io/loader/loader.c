/* SPDX-License-Identifier: Apache-2.0
 * loader.c -- peft_loader: its options, the checks of the caller's tensors, and copying finished batches to them. */
#include "io/loader/loader.h"
#include "io/transform/steps.h"

/* Rows of { name, kind, default, lowest, highest, help }, where the value is stored, words. Kind 'i': an integer, 'b':
 * a boolean, 'f': a double. */
#define STORED_IN(field) offsetof(io_loader_options, field)
static const peft_opt_key keys[] = {
    { { "batch", 'i', "16", 1, 1 << 16, "samples in a batch" }, STORED_IN(batch), NULL },
    { { "shuffle", 'b', "false", 0, 0, "a new order of the samples in each epoch" }, STORED_IN(shuffle), NULL },
    { { "balanced", 'b', "false", 0, 0, "each class is drawn equally often in an epoch, in a new order each time; for "
        "one label a sample" }, STORED_IN(balanced), NULL },
    { { "drop_last", 'b', "false", 0, 0, "an epoch's last batch is left out where it is not full" },
      STORED_IN(drop_last), NULL },
    { { "train", 'b', "false", 0, 0, "the transform's training augmentations act" }, STORED_IN(train), NULL },
    { { "seed", 'i', "", 0, 0, "seed of order, augmentation and mixup; none: the one that the data set's context has "
        "now" }, STORED_IN(seed), NULL },
    { { "threads", 'i', "0", 0, 256, "threads that prepare batches ahead; 0: the caller prepares them" },
      STORED_IN(threads), NULL },
    { { "cache", 'i', "268435456", 0, 1ll << 46, "most bytes of images that are kept, decoded and resized" },
      STORED_IN(cache), NULL },
    { { "mixup", 'f', "0", 0, 4, "training: a sample and its targets are blended with the next sample's, in a share "
        "drawn from Beta(mixup, mixup); 0: not" }, STORED_IN(mixup), NULL },
    { { 0 }, 0, NULL }
};
#undef STORED_IN

const peft_option *peft_loader_option(size_t i) { return peft_sys_opt_row(keys, i); }

/* Makes what depends on the sizes of data set and transform, and starts the threads. */
static peft_status init(peft_loader *l)
{
    l->pixels = peft_transform_height(l->transform) * peft_transform_width(l->transform);
    l->floats = 3 * l->pixels;
    if (l->data->masks) l->planes = l->data->masks->options.multilabel ? l->data->masks->classes.count : 1;
    l->order_epoch = -1;
    if (!(l->order = io_alloc(l->ctx, l->data->count, sizeof *l->order))) return io_nomem("loader");
    peft_status s = io_cache_init(&l->cache, l->ctx, l->data->count, l->options.cache);
    if (!s && l->options.balanced) s = io_balance_init(l);
    return s ? s : io_queue_start(l);
}

/* False: one cannot be made, and none is left. */
static bool make_locks(peft_loader *l)
{
    if (pthread_mutex_init(&l->lock, NULL)) return false;
    if (!pthread_mutex_init(&l->reading, NULL)) {
        if (!pthread_cond_init(&l->work, NULL)) {
            if (!pthread_cond_init(&l->finished, NULL)) return true;
            pthread_cond_destroy(&l->work);
        }
        pthread_mutex_destroy(&l->reading);
    }
    pthread_mutex_destroy(&l->lock);
    return false;
}

/* Allocates the loader and makes its locks; peft_loader_free may be called from then on, whatever fails later. */
static peft_loader *new_loader(peft_dataset *d, peft_transform *t, const io_loader_options *o)
{
    peft_loader *l = io_alloc(d->ctx, 1, sizeof *l);
    if (!l) return NULL;
    if (!make_locks(l)) {
        peft_sys_free(d->ctx, l);
        return NULL;
    }
    l->ctx = peft_sys_context_retain(d->ctx);
    l->data = io_dataset_retain(d);
    l->transform = io_transform_retain(t);
    l->options = *o;
    return l;
}

peft_status peft_loader_create(peft_dataset *d, peft_transform *t, const char *options, peft_loader **out)
{
    if (!d || !t || !out)
        return io_fail(PEFT_E_INVALID, "loader: %s is NULL", !d ? "data set" : !t ? "transform" : "out");
    io_loader_options o = { .seed = (int64_t)peft_context_seed(d->ctx) };
    peft_status s = peft_sys_opt_defaults(keys, &o);
    if (!s) s = peft_sys_opt_read(keys, options, "loader", &o, NULL);
    if (s) return s;
    if (o.drop_last && d->count < o.batch)
        return io_fail(PEFT_E_OPTION, "loader: drop_last with batch=%lld leaves no batch of %lld samples; give a "
                       "smaller batch, or drop_last=false", (long long)o.batch, (long long)d->count);
    if (o.balanced && d->target)
        return io_fail(PEFT_E_UNSUPPORTED, "loader: balanced draws each class equally often, but samples of this data "
                       "set have several labels each; weigh the loss instead (pos_weight or class_weights of the "
                       "trainer)");
    if (d->masks && o.train && o.mixup > 0)
        return io_fail(PEFT_E_UNSUPPORTED, "loader: mixup blends images and targets of whole images, but the data set "
                       "has masks, whose classes cannot be blended; leave mixup out");
    peft_loader *l = new_loader(d, t, &o);
    if (!l) return io_nomem("loader");
    s = init(l);
    if (s) peft_loader_free(l);
    else *out = l;
    return s;
}

void peft_loader_free(peft_loader *l)
{
    if (!l) return;
    peft_context *ctx = l->ctx;
    io_queue_stop(l);
    io_cache_clear(&l->cache);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->finished);
    pthread_mutex_destroy(&l->reading);
    pthread_mutex_destroy(&l->lock);
    peft_dataset_free(l->data);
    peft_transform_free(l->transform);
    peft_sys_free(ctx, l->order);
    io_balance_free(l);
    peft_sys_free(ctx, l);
    peft_context_free(ctx);
}

#define MAX_EPOCH ((int64_t)1e15)                             /* the largest that a file of a training state can hold */

static peft_status check_images(const peft_loader *l, const peft_tensor *t)
{
    const int64_t height = peft_transform_height(l->transform), width = peft_transform_width(l->transform);
    if (!t) return io_fail(PEFT_E_INVALID, "loader: images is NULL");
    const bool fits = peft_tensor_ndim(t) == 4 && peft_tensor_dim(t, 0) >= l->options.batch &&
                      peft_tensor_dim(t, 1) == 3 && peft_tensor_dim(t, 2) == height && peft_tensor_dim(t, 3) == width;
    char given[IO_TENSOR_TEXT];
    if (fits && peft_tensor_dtype(t) == PEFT_F32) return PEFT_OK;
    return io_fail(peft_tensor_dtype(t) == PEFT_F32 ? PEFT_E_SHAPE : PEFT_E_DTYPE, "loader: images: given %s, expected "
                   "f32 [%lld or more, 3, %lld, %lld]", io_tensor_text(t, given), (long long)l->options.batch,
                   (long long)height, (long long)width);
}

static bool uses_mixup(const peft_loader *l) { return l->options.train && l->options.mixup > 0; }

/* labels: class numbers [n], or targets [n, classes]; NULL: not wanted. */
static peft_status check_labels(const peft_loader *l, const peft_tensor *t)
{
    if (!t) return PEFT_OK;
    if (l->data->masks) return io_loader_check_maps(l, t);
    bool class_numbers = peft_tensor_dtype(t) == PEFT_I64, multi_label = l->data->target;
    char given[IO_TENSOR_TEXT];
    if (!class_numbers && peft_tensor_dtype(t) != PEFT_F32)
        return io_fail(PEFT_E_DTYPE, "loader: labels: given %s, expected %s", io_tensor_text(t, given),
                       multi_label ? "f32 targets" : "i64 class numbers or f32 targets");
    if (class_numbers && multi_label)
        return io_fail(PEFT_E_DTYPE, "loader: labels are i64; expected f32 targets, as the data set is multi-label");
    if (class_numbers && uses_mixup(l))
        return io_fail(PEFT_E_DTYPE, "loader: labels are i64; expected f32 targets, as mixup blends them");
    if (peft_tensor_ndim(t) == (class_numbers ? 1 : 2) && peft_tensor_dim(t, 0) >= l->options.batch &&
        (class_numbers || peft_tensor_dim(t, 1) == l->data->classes))
        return PEFT_OK;
    return io_fail(PEFT_E_SHAPE, "loader: labels: given %s, expected i64 [n] or f32 [n, %lld], n %lld or more",
                   io_tensor_text(t, given), (long long)l->data->classes, (long long)l->options.batch);
}

/* Whether the input of a sample is the same in every epoch. Otherwise (mixup, a random transform) samples get the id
 * -1, so that trainers, which cache features by id, cache none of them. */
static bool has_ids(const peft_loader *l)
{
    return !uses_mixup(l) && !(l->options.train && io_steps_random(&l->transform->recipe));
}

/* Copies a finished batch to the caller's tensors, and applies mixup to the copies. */
static peft_status copy_batch(peft_loader *l, const io_batch *b, peft_tensor *images, peft_tensor *labels, int64_t *ids)
{
    peft_status s = PEFT_OK;
    memcpy(peft_tensor_data(images), b->images, (size_t)(b->count * l->floats) * sizeof(float));
    for (int64_t k = 0; k < b->count && !s; k++) {
        int64_t i = b->sample[k];
        if (ids) ids[k] = has_ids(l) ? peft_dataset_id(l->data, i) : -1;
        if (!labels || l->data->masks) continue;
        if (peft_tensor_dtype(labels) == PEFT_I64) ((int64_t *)peft_tensor_data(labels))[k] = l->data->label[i];
        else s = peft_dataset_targets(l->data, i, (float *)peft_tensor_data(labels) + k * l->data->classes);
    }
    if (labels && l->data->masks) io_loader_copy_maps(l, b, labels);
    if (!s && uses_mixup(l)) io_mixup(l, b, peft_tensor_data(images), labels ? peft_tensor_data(labels) : NULL);
    return s;
}

/* Past the last batch of an epoch, *count is 0. */
peft_status peft_loader_read(peft_loader *l, int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels,
                             int64_t *sample_ids, int64_t *count)
{
    io_batch *b;
    if (!l || !count) return io_fail(PEFT_E_INVALID, "loader: %s is NULL", l ? "count" : "loader");
    if (epoch < 0 || batch < 0 || epoch > MAX_EPOCH)
        return io_fail(PEFT_E_INVALID, "loader: batch %lld of epoch %lld; expected 0 or more of both, and at most "
                       "epoch %lld", (long long)batch, (long long)epoch, (long long)MAX_EPOCH);
    peft_status s = check_images(l, images);
    if (!s) s = check_labels(l, labels);
    if (s) return s;
    if (batch >= peft_loader_batches(l)) {
        *count = 0;
        return PEFT_OK;
    }
    if ((s = io_queue_get(l, epoch, batch, &b))) return s;
    s = copy_batch(l, b, images, labels, sample_ids);
    if (!s) *count = b->count;
    io_queue_remove_first(l);
    return s;
}

peft_status peft_loader_samples(peft_loader *l, int64_t epoch, int64_t batch, int64_t *samples, int64_t *count)
{
    if (!l || !samples || !count)
        return io_fail(PEFT_E_INVALID, "loader: %s is NULL", !l ? "loader" : !samples ? "samples" : "count");
    if (epoch < 0 || batch < 0)
        return io_fail(PEFT_E_INVALID, "loader: batch %lld of epoch %lld: expected 0 or more", (long long)batch,
                       (long long)epoch);
    *count = batch < peft_loader_batches(l) ? io_batch_samples(l, epoch, batch, samples, NULL) : 0;
    return PEFT_OK;
}

/* peft_loader_read in the form of a peft_batch_fn; -1: failed. */
int64_t peft_loader_next(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *sample_ids,
                         void *loader)
{
    int64_t count;
    return peft_loader_read(loader, epoch, batch, images, labels, sample_ids, &count) ? -1 : count;
}
