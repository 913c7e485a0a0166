/* SPDX-License-Identifier: Apache-2.0
 * loader.h -- batches of a data set for the trainer. Part of libpeft-io; io.h says what holds for all of it. */
#ifndef PEFT_LOADER_H
#define PEFT_LOADER_H
#include <peft/dataset.h>
#include <peft/options.h>
#include <peft/tensor.h>
#include <peft/transform.h>
PEFT_BEGIN_DECLS

typedef struct peft_loader peft_loader;

/* options: batch=16, shuffle=false, drop_last=false, train=false (augment), seed (of order, augmentation and mixup; by
 * default the one that the data set's context has now), threads=0 (how many prepare batches ahead; 0: the caller
 * prepares them), cache=268435456 (bytes of decoded images that are kept), mixup=0 (> 0, with train: each sample and
 * its targets, which must be f32, are blended with those of the next sample; the share is drawn from Beta(mixup,
 * mixup)).
 * Batch b of epoch e depends on the data set, the transform and these options, but not on threads or cache. A loader is
 * used by one thread at a time. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_create(peft_dataset *d, peft_transform *t, const char *options, peft_loader **out);
PEFT_API const peft_option *peft_loader_option(size_t i);      /* of options above (options.h); NULL: after the last */
PEFT_API void    peft_loader_free(peft_loader *l);
PEFT_API int64_t peft_loader_batch_size(const peft_loader *l);
PEFT_API int64_t peft_loader_batches(const peft_loader *l);                          /* in an epoch */
/* Any batch: images f32 [>= batch, 3, size, size]; labels NULL, i64 [>= batch] (single label) or f32 [>= batch,
 * classes] (targets); sample_ids NULL or [>= batch]: peft_dataset_id of each sample, or -1 for all where the input of a
 * sample changes with the epoch (train with a transform that draws random values, or with mixup): features that a
 * trainer keeps by id would then be those of one augmentation. count: samples written, 0 past the end.
 * PEFT_E_SHAPE, PEFT_E_DTYPE: a tensor that does not fit. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_read(peft_loader *l, int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels,
                 int64_t *sample_ids, int64_t *count);
/* The samples of that batch, as indices in the loader's data set, into samples [>= batch]. */
PEFT_API PEFT_NODISCARD peft_status
peft_loader_samples(peft_loader *l, int64_t epoch, int64_t batch, int64_t *samples, int64_t *count);
/* A peft_batch_fn with the loader as its user: peft_loader_read of that batch. The number of samples, 0 past the end of
 * the epoch, -1 on failure with peft_last_error() set. The loader has no position of its own. */
PEFT_API int64_t peft_loader_next(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels,
                                  int64_t *sample_ids, void *loader);

PEFT_END_DECLS
#endif
