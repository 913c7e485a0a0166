/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_ADAPTER_H
#define PEFT_ADAPTER_H
#include <peft/backbone.h>
PEFT_BEGIN_DECLS

/* --- methods: what this library can attach ------------------------------------------------------- */
PEFT_API size_t      peft_method_count(void);
PEFT_API const char *peft_method_name(size_t i);
PEFT_API const char *peft_method_summary(const char *method);
PEFT_API size_t      peft_method_option_count(const char *method);
PEFT_API PEFT_NODISCARD peft_status
peft_method_option(const char *method, size_t i, const char **name, const char **type,
                   const char **fallback, const char **help);

/* --- parameters: borrowed views, alive as long as what they were taken from ---------------------- */
typedef struct peft_param peft_param;
PEFT_API const char  *peft_param_name(const peft_param *p);       /* "blocks.3.attn.q.lora_a" */
PEFT_API peft_tensor *peft_param_value(peft_param *p);
PEFT_API peft_tensor *peft_param_grad(peft_param *p);             /* NULL before the first backward */
PEFT_API const char  *peft_param_group(const peft_param *p);      /* "prompt", "head", "bias", ... */

/* --- adapter: one method with its trainable state, made for one backbone -------------------------- */
typedef struct peft_adapter peft_adapter;
PEFT_API PEFT_NODISCARD peft_status
peft_adapter_create(peft_backbone *b, const char *method, const peft_options *o, peft_adapter **out);
PEFT_API PEFT_NODISCARD peft_status
peft_adapter_load(peft_backbone *b, const char *path, peft_adapter **out);
PEFT_API PEFT_NODISCARD peft_status peft_adapter_save(const peft_adapter *a, const char *path);
PEFT_API void        peft_adapter_free(peft_adapter *a);
PEFT_API const char *peft_adapter_method(const peft_adapter *a);
PEFT_API size_t      peft_adapter_param_count(const peft_adapter *a);
PEFT_API peft_param *peft_adapter_param(peft_adapter *a, size_t i);

/* --- model: a backbone, the adapters attached to it in order, and a head -------------------------- */
typedef struct peft_model peft_model;
PEFT_API PEFT_NODISCARD peft_status    /* "classes", "pool", "head", "head_init" */
peft_model_create(peft_backbone *b, const peft_options *o, peft_model **out);
PEFT_API void peft_model_free(peft_model *m);
PEFT_API PEFT_NODISCARD peft_status peft_model_attach(peft_model *m, peft_adapter *a);
PEFT_API PEFT_NODISCARD peft_status peft_model_detach(peft_model *m, peft_adapter *a);
PEFT_API PEFT_NODISCARD peft_status    /* fold LoRA, SSF, ... into a new backbone; E_UNSUPPORTED where it cannot be */
peft_model_merge(const peft_model *m, peft_backbone **out);
PEFT_API size_t      peft_model_param_count(const peft_model *m);           /* trainable ones, stable order */
PEFT_API peft_param *peft_model_param(peft_model *m, size_t i);
PEFT_API peft_param *peft_model_find_param(peft_model *m, const char *name);/* NULL: no such */
PEFT_API int64_t     peft_model_trainable_count(const peft_model *m);       /* scalars */
PEFT_API PEFT_NODISCARD peft_status peft_model_save(const peft_model *m, const char *path);   /* adapters + head */
PEFT_API PEFT_NODISCARD peft_status peft_model_load(peft_backbone *b, const char *path, peft_model **out);

PEFT_END_DECLS
#endif
