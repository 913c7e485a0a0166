/* SPDX-License-Identifier: Apache-2.0
 * loader.h -- loaders: batches of a data set as tensors, for a trainer. Part of libpeft-io; see io.h for what all of it
 * shares: ownership, threads, memory, options. */
#ifndef PEFT_LOADER_H
#define PEFT_LOADER_H
#include <peft/dataset.h>
#include <peft/options.h>
#include <peft/tensor.h>
#include <peft/transform.h>
PEFT_BEGIN_DECLS

typedef struct peft_loader peft_loader;

/* Makes a loader of the data set d, whose images the transform t turns into network input. options: batch=16 (samples
 * in a batch), shuffle=false (a new order of the samples in each epoch), balanced=false (as many samples as the data
 * set has, but of each class the same number, or one more: those of small classes come several times, augmented
 * differently each time, and of large ones other samples in each epoch; in a new order, also without shuffle),
 * drop_last=false (leave out the last batch of an epoch if it is not full), train=false (apply the transform's
 * augmentations), seed (of order, augmentation and mixup; by default the seed that the data set's context has now),
 * threads=0 (threads that prepare batches ahead; 0: the caller prepares them), cache=268435456 (most bytes of images
 * that are kept, as they are before the first random step: resized to the network's input, at 224 pixels 151 kB of RGB
 * with 8 bits or 100 kB of grey with 16; with random_crop as they are decoded; with a slice of a file the other slices
 * in the data set are kept too as far as `cache` has room, so that the file is read once), mixup=0 (> 0, with train:
 * each sample and its targets, which must be f32, are blended with the next sample and its targets, in a share drawn
 * from Beta(mixup, mixup)). With masks (masks.h) labels are maps, which the transform moves with their images. A batch
 * depends on its epoch and number, on the data set, the transform and these options, but not on threads and cache. A
 * loader is used by one thread at a time. PEFT_E_UNSUPPORTED: balanced, and samples have several labels each; mixup,
 * and they have masks. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_create(peft_dataset *d, peft_transform *t, const char *options, peft_loader **out);
PEFT_API const peft_option *peft_loader_option(size_t i);      /* row i of these options (options.h); NULL: none */
PEFT_API void    peft_loader_free(peft_loader *l);
PEFT_API int64_t peft_loader_batch_size(const peft_loader *l);
PEFT_API int64_t peft_loader_batches(const peft_loader *l);                          /* in an epoch */
/* Reads a batch of an epoch; batches may be read in any order. images: f32 [>= batch, 3, h, w], h x w the
 * transform's output. labels: NULL, i64 [>= batch] (class numbers) or f32 [>= batch, classes] (targets); of a data set
 * with masks i64 [>= batch, h, w] (classes of pixels, -1 where one is not judged) or f32
 * [>= batch, h, w, classes of masks] (targets).
 * sample_ids: NULL or [>= batch], the peft_dataset_id of each sample; -1 for all if the input of a sample changes with
 * the epoch (train with a transform that draws random numbers, or with mixup), since a trainer that caches features by
 * id would then repeat one augmentation. *count: the samples written, 0 after the last batch of the epoch.
 * PEFT_E_SHAPE, PEFT_E_DTYPE: a tensor that does not fit. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_read(peft_loader *l, int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels,
                 int64_t *sample_ids, int64_t *count);
/* Writes the samples of that batch, as indices in the loader's data set, to samples [>= batch]. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_samples(peft_loader *l, int64_t epoch, int64_t batch, int64_t *samples, int64_t *count);
/* peft_loader_read as a peft_batch_fn, whose argument user is the loader. Returns the number of samples; 0 after the
 * last batch of the epoch; -1 on failure, with peft_last_error() set. The loader keeps no position: epoch and batch
 * decide. */
PEFT_API int64_t peft_loader_next(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels,
                                  int64_t *sample_ids, void *loader);

PEFT_END_DECLS
#endif
