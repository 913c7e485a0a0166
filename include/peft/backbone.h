/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BACKBONE_H
#define PEFT_BACKBONE_H
#include <peft/options.h>
#include <peft/tensor.h>
PEFT_BEGIN_DECLS

/* A Vision Transformer's pretrained weights. Immutable once made, so any number of models, sessions and
   threads share one copy (and its packed form). */
typedef struct peft_backbone peft_backbone;

PEFT_API PEFT_NODISCARD peft_status    /* safetensors; option "naming": auto|timm|hf; "image_size", "dtype", ... */
peft_backbone_load(peft_context *ctx, const char *path, const peft_options *o, peft_backbone **out);
PEFT_API PEFT_NODISCARD peft_status
peft_backbone_load_memory(peft_context *ctx, const void *data, size_t size, const peft_options *o, peft_backbone **out);
PEFT_API PEFT_NODISCARD peft_status    /* random weights, for tests and from-scratch experiments */
peft_backbone_create(peft_context *ctx, const peft_options *o, peft_backbone **out);
PEFT_API void    peft_backbone_free(peft_backbone *b);

PEFT_API int64_t peft_backbone_get(const peft_backbone *b, const char *what); /* "width","depth","heads","tokens",.. ; -1 */
PEFT_API size_t  peft_backbone_tensor_count(const peft_backbone *b);
PEFT_API const char        *peft_backbone_tensor_name(const peft_backbone *b, size_t i);
PEFT_API const peft_tensor *peft_backbone_tensor(const peft_backbone *b, size_t i);
PEFT_API const char        *peft_backbone_fingerprint(const peft_backbone *b); /* hex digest of the weights */

PEFT_END_DECLS
#endif
