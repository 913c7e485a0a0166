/* SPDX-License-Identifier: Apache-2.0
 * peft/session.h -- a model compiled for inference: one arena, no allocation per call.
 *
 * Threads. A session, and likewise a trainer, is used by one thread at a time. Sessions of one model may run in several
 * threads at once, also while one more thread trains the model: a prediction then sees the parameters as an update left
 * them, never half of an update. An update waits until the running predictions are done, and a prediction until the
 * update is (with heads that have batch norm, until the whole training pass is, which writes running statistics). The
 * application must see to it that no call of the trainer runs while it saves or merges the model, attaches or detaches
 * adapters, reads or writes tensors through peft_param_value, or uses the model's adapters in another model. */
#ifndef PEFT_SESSION_H
#define PEFT_SESSION_H
#include <peft/adapter.h>
PEFT_BEGIN_DECLS

typedef struct peft_session peft_session;
/* Options: "batch" (largest number of images a call; 1), "taps" (intermediate values to keep: "embed", "block.N",
 * "feature", separated by commas), "threads" (0: the context's), "executor" (planned, naive), "memory_limit" (bytes
 * that the compiled graph may take, arena and scratch; 0: no limit), "compute" (f32). The model's adapters and head
 * are read at each call, so a session sees what a trainer of the same model has learned.
 * PEFT_E_UNSUPPORTED: the graph takes more than memory_limit; both numbers are named. */
PEFT_API PEFT_NODISCARD peft_status
peft_session_create(peft_model *m, const peft_options *o, peft_session **out);
PEFT_API void peft_session_free(peft_session *s);
/* images [n,3,S,S] f32, normalised, 1 <= n <= batch; logits f32 [n,classes], or [n,h,w,classes] with a head that
 * predicts a class for each patch (peft_model_output). The numbers do not depend on n, on the batch compiled for, or on
 * the number of threads (with the library's own products; CBLAS makes no such promise). PEFT_E_NONFINITE: a logit is
 * NaN or Inf; the message names the first image that has one. logits then holds what was computed, which is right for
 * the images whose logits are numbers. */
PEFT_API PEFT_NODISCARD peft_status
peft_session_predict(peft_session *s, const peft_tensor *images, peft_tensor *logits);
/* Class probabilities in place of logits: softmax, or the sigmoid of each class when multi_label is not 0. Fails as
 * peft_session_predict does. */
PEFT_API PEFT_NODISCARD peft_status
peft_session_probabilities(peft_session *s, const peft_tensor *images, int multi_label, peft_tensor *probabilities);
/* A further input of the next predictions, copied: see peft_trainer_input. */
PEFT_API PEFT_NODISCARD peft_status
peft_session_input(peft_session *s, const char *name, const peft_tensor *value);
/* What a tap held after the last predict, [batch, ...]; borrowed, overwritten by the next call. */
PEFT_API PEFT_NODISCARD peft_status
peft_session_tap(peft_session *s, const char *tap, const peft_tensor **out);
PEFT_API size_t peft_session_memory(const peft_session *s);                    /* planned bytes */
typedef void (*peft_text_fn)(const char *line, void *user);
PEFT_API void peft_session_describe(const peft_session *s, peft_text_fn fn, void *user);  /* the plan, line by line */

/* How far rounding makes a merged backbone differ from the model it was merged from: both predict images [n,3,S,S]
 * (NULL: four of normal noise from the context's seed). absolute: the largest difference of two logits; relative: that
 * over the model's largest logit; both are Inf where a logit of either network is NaN or Inf. Either may be NULL. After
 * peft_backbone_save_as with "dtype" the rounding of the file counts too: give the backbone that was loaded from it.
 * PEFT_E_MISMATCH: image side or classes differ. */
PEFT_API PEFT_NODISCARD peft_status
peft_model_merge_drift(peft_model *m, peft_backbone *merged, const peft_tensor *images, double *absolute,
                       double *relative);

PEFT_END_DECLS
#endif
