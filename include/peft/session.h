/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_SESSION_H
#define PEFT_SESSION_H
#include <peft/adapter.h>
PEFT_BEGIN_DECLS

/* A model compiled for inference at one batch size and image size: one arena, no allocation per call. */
typedef struct peft_session peft_session;
PEFT_API PEFT_NODISCARD peft_status    /* "batch", "image_size", "taps", "memory_limit" */
peft_session_create(peft_model *m, const peft_options *o, peft_session **out);
PEFT_API void peft_session_free(peft_session *s);
PEFT_API PEFT_NODISCARD peft_status    /* images [n,3,h,w] f32, n <= batch; logits [n,classes] */
peft_session_predict(peft_session *s, const peft_tensor *images, peft_tensor *logits);
PEFT_API PEFT_NODISCARD peft_status    /* a named inner value: "pool", "blocks.11.attn", ... */
peft_session_tap(peft_session *s, const char *tap, const peft_tensor **out);
PEFT_API size_t peft_session_memory(const peft_session *s);
typedef void (*peft_text_fn)(const char *line, void *user);
PEFT_API void peft_session_describe(const peft_session *s, peft_text_fn fn, void *user);  /* the plan, line by line */

PEFT_END_DECLS
#endif
