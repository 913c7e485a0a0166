/* SPDX-License-Identifier: Apache-2.0
 * peft/prune.h -- which of an adapter's prompts matter, and adapters without those that matter least. For methods whose
 * prompts are multiplied with masks (e2vpt: options "mask_tokens" and "mask_pieces"), after Han et al., ICCV 2023,
 * section 3.3: train with masks, gather importance, prune, train the new adapter. docs/methods/e2vpt.md has the
 * definitions. */
#ifndef PEFT_PRUNE_H
#define PEFT_PRUNE_H
#include <peft/trainer.h>
PEFT_BEGIN_DECLS

/* The importance of each element of an adapter's trained masks: the mean over batches of the derivative of the loss
 * with respect to it, signed or absolute. An object is used by one thread at a time. */
typedef struct peft_importance peft_importance;
/* Without a batch yet. The adapter may be freed before the result. PEFT_E_STATE: a has no trained mask; the message
 * says which options would make one. */
PEFT_API PEFT_NODISCARD peft_status peft_importance_create(peft_adapter *a, peft_importance **out);
PEFT_API void peft_importance_free(peft_importance *i);
/* Adds a batch: computes the gradients as peft_trainer_backward does, with the same arguments, and drops them. Nothing
 * that t trains or saves changes, and no figure of t but those of the feature cache; peft_param_grad and
 * peft_trainer_logits are of this batch then. A batch without a label that counts is not counted. Dropout draws other
 * random numbers for each batch.
 * PEFT_E_STATE: the model of t does not have the adapter, or t has backward passes since its last update. Errors of
 * peft_trainer_backward; PEFT_E_NONFINITE: also if a gradient of a mask is NaN or Inf. Then the batch is not added. */
PEFT_API PEFT_NODISCARD peft_status
peft_importance_add(peft_importance *i, peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                    const int64_t *sample_ids);
PEFT_API int64_t peft_importance_batches(const peft_importance *i);            /* those that were added; -1 for NULL */

/* Writes the extents of a mask, which is named by its option, to dims and returns their number; 0: there is no such
 * trained mask, or an argument is NULL. */
PEFT_API int peft_importance_shape(const peft_importance *i, const char *mask, int64_t dims[PEFT_MAX_DIMS]);
/* Writes the importance of a mask, which is named by its option ("mask_tokens"), to scores, f32 with the extents of the
 * mask. Options, o may be NULL: "score" (signed, the mean of the gradients, as in the published code; absolute, the
 * mean of their absolute values, as in the paper), "norm" (divide each row, along the last extent, by its L2 norm; a
 * row of zeros stays as it is). PEFT_E_STATE: no batch was added. PEFT_E_NOTFOUND: there is no such trained mask. */
PEFT_API PEFT_NODISCARD peft_status
peft_importance_scores(const peft_importance *i, const char *mask, const peft_options *o, peft_tensor *scores);

/* Makes a new adapter of the same backbone, method and options, but with fixed masks: 0 for the elements of lowest
 * score, 1 for the others. It has initial values, which depend on the context's seed: the same as the first adapter had
 * before its training, or fresh ones after peft_context_set_seed. Options, o may be NULL: for each trained mask, under
 * the name of its option, the percentage that is pruned (30: 30 of 100 elements; default 0), rounded down to whole
 * elements; "score" and "norm" as above; "across" (false: the percentage of each row; true: of the whole mask, so that
 * rows are compared with each other and "norm" has an effect). Of equal scores the first are pruned first. At least as
 * many ones of each row remain as the method demands: with e2vpt 1 token, and 4 pieces of each token. PEFT_E_STATE: no
 * batch was added. PEFT_E_OPTION: also for norm without across. */
PEFT_API PEFT_NODISCARD peft_status
peft_adapter_prune(const peft_importance *i, const peft_options *o, peft_adapter **out);
/* Option k of peft_adapter_prune for this adapter (options.h); NULL: after the last. */
PEFT_API const peft_option *peft_importance_option(const peft_importance *i, size_t k);

PEFT_END_DECLS
#endif
