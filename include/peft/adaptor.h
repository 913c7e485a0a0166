/* SPDX-License-Identifier: Apache-2.0
 * peft/adaptor.h -- test-time adaptation: a model that goes on learning from the images it predicts, which have no
 * labels. An adaptor is the third user of a model beside trainer and session. It never changes the model: what it
 * learns is its own: copies of the norms' weights, prompts, statistics. It is saved, restored and reset by itself.
 *
 *     peft_adaptor_create(model, options, &a);            kind=tent,batch=64
 *     for each batch of test images:
 *         peft_adaptor_predict(a, images, logits);        adapts on these images and predicts them
 *
 * Several adaptors, sessions and a trainer may use one model at once, by the rules of session.h, in which an adaptor
 * counts as a session: peft_adaptor_predict, _source, _reset, _save and _restore read the model and its adapters;
 * peft_adaptor_store_source changes the model. An adaptor itself is used by one thread at a time.
 *
 * All memory is allocated by peft_adaptor_create; predict, source and reset allocate none. */
#ifndef PEFT_ADAPTOR_H
#define PEFT_ADAPTOR_H
#include <peft/session.h>
PEFT_BEGIN_DECLS

typedef struct peft_adaptor peft_adaptor;

/* Kinds of adaptation, "tent" and others, in the library's order. NULL: no such index, or no kind of this name. */
PEFT_API size_t      peft_adaptor_kind_count(void);
PEFT_API const char *peft_adaptor_kind_name(size_t i);
PEFT_API const char *peft_adaptor_kind_summary(const char *kind);               /* one line */
PEFT_API const char *peft_adaptor_kind_paper(const char *kind);                 /* DOI or arXiv number */
/* The option number i that all kinds have, and that one kind has besides; see options.h. NULL: after the last. */
PEFT_API const peft_option *peft_adaptor_option(size_t i);
PEFT_API const peft_option *peft_adaptor_kind_option(const char *kind, size_t i);

/* Options of all kinds: "kind" (tent), "batch" (largest number of images in a call; 64), "threads" (0: the
 * context's), "executor" (planned, naive), "memory_limit" (bytes of a compiled graph; 0: no limit: trainer.h),
 * "compute" (f32, bf16x3, bf16, int8, int8_all: session.h); and those of the kind. PEFT_E_OPTION: an option that the
 * chosen kind does not read has another value than its default, and the message names the kinds that read it.
 * PEFT_E_UNSUPPORTED: the model has no head (head=none); the graph needs more than memory_limit; the kind needs
 * something that the model lacks, which the message names. */
PEFT_API PEFT_NODISCARD peft_status
peft_adaptor_create(peft_model *m, const peft_options *o, peft_adaptor **out);
PEFT_API void        peft_adaptor_free(peft_adaptor *a);
PEFT_API peft_model *peft_adaptor_model(const peft_adaptor *a);                 /* borrowed; NULL for NULL */
PEFT_API const char *peft_adaptor_kind(const peft_adaptor *a);                  /* its kind; NULL for NULL */
PEFT_API int64_t     peft_adaptor_batch(const peft_adaptor *a);                 /* option batch; 0 for NULL */
/* Planned bytes, which its memory never exceeds. They include the graphs' tables for one image more, which are freed
 * before create returns. 0 for NULL. */
PEFT_API size_t      peft_adaptor_memory(const peft_adaptor *a);

/* Adapts on images and predicts them. images [n,3,H,W] and logits as for peft_session_predict, 1 <= n <= batch: one
 * call is one batch of the method, and the results depend on which images are in a call. They have the same bits for
 * any number of threads. Whether the logits are those before or after this call's update is the kind's option.
 * PEFT_E_NONFINITE: an image holds NaN or Inf, and nothing is computed; or loss or gradients do, and nothing is updated
 * (logits then holds what was computed); or the update made a tensor of the adaptor NaN or Inf, or the logits are, and
 * the adaptor has to be reset or restored. PEFT_E_STATE: the kind needs statistics of the training images; call
 * peft_adaptor_source first. */
PEFT_API PEFT_NODISCARD peft_status
peft_adaptor_predict(peft_adaptor *a, const peft_tensor *images, peft_tensor *logits);
/* A further input of the next calls, copied: see peft_trainer_input. */
PEFT_API PEFT_NODISCARD peft_status
peft_adaptor_input(peft_adaptor *a, const char *name, const peft_tensor *value);

/* --- statistics of the training images ---------------------------------------------------------------------------- */
/* Gives images of the training distribution, without labels and prepared as for training, to kinds that compare test
 * images with them: a few dozen are enough. [n,3,H,W], 1 <= n <= batch; call it as often as needed. It predicts them
 * with the model as it is, and accumulates mean and unbiased standard deviation of the kind's features in double: the
 * same bits for any division into calls. Statistics that were found in the model are replaced by the first call, and
 * those of earlier values of the model's parameters by the first call after the training, with a warning.
 * PEFT_E_UNSUPPORTED: the kind needs none. PEFT_E_NONFINITE: an image or a feature is NaN or Inf; nothing is added. */
PEFT_API PEFT_NODISCARD peft_status peft_adaptor_source(peft_adaptor *a, const peft_tensor *images);
/* Stores these statistics in the model, in place of earlier ones: peft_model_save writes them into the file, and
 * adaptors that are made of the model, or of one loaded from that file, need no peft_adaptor_source. They belong to the
 * values that the model's parameters had when the images were given: after training give images again and store them.
 * peft_model_merge gives them to the merged
 * backbone, whose features are the same: models that are made of it, with the backbone's own pooling, have them, and
 * peft_model_save writes them. Files of backbones (peft_backbone_save, _save_as) and directories of PEFT
 * (peft_model_save_hf) have no place for them: saving these logs a warning. PEFT_E_STATE: fewer than two images so
 * far, or the model has been trained since the last ones. */
PEFT_API PEFT_NODISCARD peft_status peft_adaptor_store_source(peft_adaptor *a);

/* --- state -------------------------------------------------------------------------------------------------------- */
/* Back to the state after peft_adaptor_create: what was learned is dropped, and copies are made again of the model's
 * current tensors. Statistics of the training images are kept. */
PEFT_API PEFT_NODISCARD peft_status peft_adaptor_reset(peft_adaptor *a);
/* The whole state with the statistics of the training images, in a safetensors file that is replaced as a whole. An
 * adaptor that restores it goes on with the same bits. restore needs the same kind and options (but "batch",
 * "threads", "executor", "memory_limit") and a model with the same values of all tensors, else PEFT_E_MISMATCH names
 * the difference, and nothing changes. save does not change path on failure. PEFT_E_NONFINITE: the state holds NaN or
 * Inf; PEFT_E_STATE: the model has been trained since the adaptor was made, reset or restored, or got training
 * images. */
PEFT_API PEFT_NODISCARD peft_status peft_adaptor_save(const peft_adaptor *a, const char *path);
PEFT_API PEFT_NODISCARD peft_status peft_adaptor_restore(peft_adaptor *a, const char *path);

/* Figures by name. Counts: "batches" and "images" (adapted on so far), "updates" (one for each of these batches, and
 * one for each batch whose update made a tensor NaN or Inf), "source_images" (training images in the statistics),
 * "planned_bytes" (peft_adaptor_memory), "arena_bytes", "flops" (of one pass over a full batch). Numbers: "loss" (of
 * the last batch), "seconds" (of the last call of predict), and those of the kind, which docs/adaptation.md lists.
 * Errors as for peft_trainer_get_int. */
PEFT_API PEFT_NODISCARD peft_status peft_adaptor_get_int(const peft_adaptor *a, const char *name, int64_t *out);
PEFT_API PEFT_NODISCARD peft_status peft_adaptor_get_float(const peft_adaptor *a, const char *name, double *out);
/* The table of peft_session_describe for one pass over a full batch. */
PEFT_API void        peft_adaptor_describe(const peft_adaptor *a, peft_text_fn fn, void *user);

PEFT_END_DECLS
#endif
