/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAINER_H
#define PEFT_TRAINER_H
#include <peft/session.h>
PEFT_BEGIN_DECLS

typedef struct peft_trainer peft_trainer;
/* Called between steps; non-zero stops with PEFT_E_CANCELLED, everything left consistent. */
typedef int (*peft_progress_fn)(const peft_trainer *t, void *user);
/* Fills images and labels for step i; returns how many samples were written (0 ends the epoch), < 0 cancels. */
typedef int64_t (*peft_batch_fn)(int64_t i, peft_tensor *images, peft_tensor *labels, int64_t *sample_ids, void *user);

PEFT_API PEFT_NODISCARD peft_status    /* "batch","loss","optimizer","lr","weight_decay","schedule","warmup",
                                          "clip_norm","memory_limit","recompute","cache_features", ... */
peft_trainer_create(peft_model *m, const peft_options *o, peft_trainer **out);
PEFT_API void peft_trainer_free(peft_trainer *t);
PEFT_API PEFT_NODISCARD peft_status    /* forward, loss, backward, clip, update; sample_ids may be NULL */
peft_trainer_step(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels, const int64_t *sample_ids);
PEFT_API PEFT_NODISCARD peft_status    /* the pieces, for experiments: accumulate, look at gradients, then update */
peft_trainer_backward(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels, const int64_t *sample_ids);
PEFT_API PEFT_NODISCARD peft_status peft_trainer_update(peft_trainer *t);
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_fit(peft_trainer *t, int64_t epochs, peft_batch_fn next, peft_progress_fn progress, void *user);
PEFT_API PEFT_NODISCARD peft_status peft_trainer_evaluate(peft_trainer *t, const peft_tensor *images, peft_tensor *logits);
PEFT_API double  peft_trainer_get(const peft_trainer *t, const char *what); /* "loss","lr","grad_norm","step",..; NaN */
PEFT_API PEFT_NODISCARD peft_status peft_trainer_save(const peft_trainer *t, const char *path);     /* to resume */
PEFT_API PEFT_NODISCARD peft_status peft_trainer_restore(peft_trainer *t, const char *path);

PEFT_END_DECLS
#endif
