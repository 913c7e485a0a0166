/* SPDX-License-Identifier: Apache-2.0
 * peft/adapter.h -- methods, adapters, models. A method is an idea from a paper (EPT, BitFit, ...); an adapter is one
 * method with its trainable tensors, made for one backbone; a model is a backbone, the adapters attached to it in
 * order, and a head. What a function returns is borrowed from the handle; what comes through `T **out` is yours. */
#ifndef PEFT_ADAPTER_H
#define PEFT_ADAPTER_H
#include <peft/backbone.h>
PEFT_BEGIN_DECLS

/* --- methods: what this library can attach ------------------------------------------------------------------------ */
PEFT_API size_t      peft_method_count(void);                     /* how many methods the library has */
PEFT_API const char *peft_method_name(size_t i);                  /* NULL: no such index */
PEFT_API const char *peft_method_summary(const char *method);     /* one line; NULL: no such method */
PEFT_API const char *peft_method_paper(const char *method);       /* DOI or arXiv number, "" when none */
/* The head that a model must be created with to use this method: "side_encoder" for a method that computes the logits
 * by a network of its own (fpt), "" if any head will do. NULL: no such method. */
PEFT_API const char *peft_method_head(const char *method);
/* Option i of a built-in method (options.h); NULL: no such method, or after the last. For a method that was registered
 * on a context use peft_adapter_option, or the member opts of peft_sys_method's result. */
PEFT_API const peft_option *peft_method_option(const char *method, size_t i);

/* --- parameters: borrowed, valid as long as the adapter or model that returned them ------------------------------- */
typedef struct peft_param peft_param;
PEFT_API const char  *peft_param_name(const peft_param *p); /* "prompt", "blocks.3.attn.qkv.bias", "head.weight" */
/* f32. Writing to it between steps is allowed, while no thread predicts or saves with it (session.h). */
PEFT_API peft_tensor *peft_param_value(peft_param *p);
/* The sum of the gradients of the backward passes since the last update, before clipping (peft_trainer_backward); NULL
 * while no trainer holds the parameter. */
PEFT_API const peft_tensor *peft_param_grad(const peft_param *p);
PEFT_API const char  *peft_param_group(const peft_param *p);      /* "prompt", "head", "bias", "norm" or "weight" */

/* --- adapter ------------------------------------------------------------------------------------------------------ */
typedef struct peft_adapter peft_adapter;
/* Makes an adapter; o may be NULL: the method's defaults. Initial values depend on the context's seed and each tensor's
 * name. PEFT_E_NOTFOUND: unknown method; PEFT_E_OPTION: unknown option or bad value; PEFT_E_UNSUPPORTED: a backbone
 * that the method does not take (fpt: images that are not square). */
PEFT_API PEFT_NODISCARD peft_status
peft_adapter_create(peft_backbone *b, const char *method, const peft_options *o, peft_adapter **out);
/* Loads an adapter file, which holds method, options, tensors and the backbone's fingerprint. PEFT_E_MISMATCH: the file
 * was saved for another backbone (the message has both fingerprints); PEFT_E_FORMAT: tensors are missing, unexpected or
 * of other shapes; PEFT_E_NONFINITE: a tensor holds NaN or Inf. */
PEFT_API PEFT_NODISCARD peft_status peft_adapter_load(peft_backbone *b, const char *path, peft_adapter **out);
/* Saves the adapter atomically: after any failure path holds the old file or the complete new one. PEFT_E_NONFINITE: a
 * tensor holds NaN or Inf; nothing is written. */
PEFT_API PEFT_NODISCARD peft_status peft_adapter_save(const peft_adapter *a, const char *path);
PEFT_API void        peft_adapter_free(peft_adapter *a);          /* a may be NULL; models that use it keep it */
PEFT_API const char *peft_adapter_method(const peft_adapter *a);
PEFT_API const peft_option *peft_adapter_option(const peft_adapter *a, size_t i);   /* of a's method; NULL: no more */
/* The value that this adapter uses of one of its method's options, as text: the value given when it was made or stored
 * in its file, else that of a chosen preset, else the default. Borrowed from a. NULL: no such option. */
PEFT_API const char *peft_adapter_option_value(const peft_adapter *a, const char *option);
PEFT_API int64_t     peft_adapter_trainable_count(const peft_adapter *a);      /* elements of its parameters */
PEFT_API size_t      peft_adapter_param_count(const peft_adapter *a);
PEFT_API peft_param *peft_adapter_param(peft_adapter *a, size_t i);            /* NULL: no such index */
/* Tensors that are saved with the adapter and not trained, such as masks; writing to one between steps is allowed. */
PEFT_API size_t      peft_adapter_buffer_count(const peft_adapter *a);
PEFT_API const char *peft_adapter_buffer_name(const peft_adapter *a, size_t i);               /* NULL: no such index */
PEFT_API peft_tensor *peft_adapter_find_buffer(peft_adapter *a, const char *name);             /* NULL: none so named */

/* --- model -------------------------------------------------------------------------------------------------------- */
typedef struct peft_model peft_model;
/* Makes a model. Options, o may be NULL: "classes" (0: the backbone's own classifier, frozen), "head" (linear, mlp,
 * bn_linear; patch_linear: a class for each patch; seg_linear, setr_naive, setr_pup, seg_mla: a class for each pixel
 * of the input; docs/api/model.md describes these and names their tensors; side_encoder: for fpt; none: no logits, for
 * peft_session_features, without "classes"), "head_init" (auto, normal:STD, trunc_normal:STD,
 * uniform:BOUND, kaiming, kaiming_normal, kaiming_out, xavier, zero, one: the rules of peft_sys_declare in
 * peft/sys/method.h), "head_layers" (for mlp only), "head_width" (columns of the hidden maps of setr_naive,
 * setr_pup and seg_mla, which needs an even number; 0: 256), "head_blocks" (blocks that seg_mla reads, one to four in
 * rising order, such as [2, 5, 8, 11]; auto: the last block of each quarter of the blocks), "pool" (auto, cls, mean,
 * cls_mean, cls_dist, attention). PEFT_E_OPTION: also if "head" or one of the options after it would have no effect. */
PEFT_API const peft_option *peft_model_option(size_t i);                       /* options.h; NULL: after the last */
PEFT_API PEFT_NODISCARD peft_status peft_model_create(peft_backbone *b, const peft_options *o, peft_model **out);
PEFT_API void peft_model_free(peft_model *m);
/* Adapters act in the order of attachment; but a tensor of the backbone that one of them trains is used by all.
 * PEFT_E_STATE: a trainer or session of this model exists; or two adapters, which the message names, cannot act on one
 * model: they have a tensor of the same name, one changes the number of tokens that the other needs (vpt and ept), both
 * add tokens, or one has a network of its own (fpt). */
PEFT_API PEFT_NODISCARD peft_status peft_model_attach(peft_model *m, peft_adapter *a);
PEFT_API PEFT_NODISCARD peft_status peft_model_detach(peft_model *m, peft_adapter *a);
/* The backbone that the model was made for; borrowed. NULL for NULL. */
PEFT_API peft_backbone *peft_model_backbone(const peft_model *m);
/* The attached adapters in their order, i from 0 on, also of a loaded model; borrowed. NULL: no such index. */
PEFT_API size_t        peft_model_adapter_count(const peft_model *m);
PEFT_API peft_adapter *peft_model_adapter(peft_model *m, size_t i);
/* Makes a new backbone whose weights include all adapters and the linear head; the model and its backbone do not
 * change. PEFT_E_UNSUPPORTED, with the reason: a method does more than change weights (ept, vpt, adapter, ..), or its
 * change cannot be written as weights exactly. peft_model_merge_drift (session.h) measures by how much rounding makes
 * the two differ. Statistics that peft_adaptor_store_source has stored in the model are copied, if they belong to its
 * parameters as they are now, else a warning is logged. */
PEFT_API PEFT_NODISCARD peft_status peft_model_merge(const peft_model *m, peft_backbone **out);
PEFT_API int64_t     peft_model_classes(const peft_model *m);                 /* 0 with head=none; -1 for NULL */
/* Columns of what the head reads (peft_session_features): the backbone's width, with heads of maps too; twice that for
 * two tokens side by side; or those of its attention pooling. -1 for NULL. */
PEFT_API int64_t     peft_model_feature_width(const peft_model *m);
/* The function from logits to probabilities: "softmax" (one label for each image) or "sigmoid" (several). It is the
 * model's note "link". If the model has none and uses the backbone's own classifier (classes=0), it is the backbone's
 * note "link". NULL: there is no such note. */
PEFT_API const char *peft_model_link(const peft_model *m);
/* The shape of one sample's logits: writes its extents to dims and returns their number. 1: [classes]; 3: [h, w,
 * classes], with a head that predicts a class for each of h x w patches (patch_linear) or pixels of the model's input
 * (seg_linear, setr_naive, setr_pup, seg_mla). Logits of n samples are [n, classes] or [n, h, w, classes]. 0: no
 * logits (head=none), or m or dims is NULL. */
PEFT_API int         peft_model_output(const peft_model *m, int64_t dims[PEFT_MAX_DIMS]);
PEFT_API size_t      peft_model_param_count(const peft_model *m);              /* the adapters', then the head's */
PEFT_API peft_param *peft_model_param(peft_model *m, size_t i);
PEFT_API peft_param *peft_model_find_param(peft_model *m, const char *name);   /* NULL: no such parameter */
PEFT_API int64_t     peft_model_trainable_count(const peft_model *m);          /* elements of all parameters */
/* Tensors that are saved but not trained: the buffers of adapters in their order, then the head's running statistics of
 * batch norm ("head.0.running_mean"). */
PEFT_API size_t      peft_model_buffer_count(const peft_model *m);
PEFT_API const char *peft_model_buffer_name(const peft_model *m, size_t i);
PEFT_API peft_tensor *peft_model_find_buffer(peft_model *m, const char *name); /* NULL: no such buffer */
/* Notes are texts stored in the model's file: "preprocess", "class_names", and any other that an application needs to
 * predict in the same way later. */
PEFT_API PEFT_NODISCARD peft_status peft_model_set_note(peft_model *m, const char *key, const char *value);
PEFT_API const char *peft_model_note(const peft_model *m, const char *key);    /* NULL: none */
PEFT_API PEFT_NODISCARD peft_status peft_model_save(const peft_model *m, const char *path); /* adapters, head, notes */
/* Errors as of peft_adapter_load. PEFT_E_MISMATCH: also if the model uses the backbone's own classifier (classes=0) and
 * that of b is another one, whose digest differs from that in the file. */
PEFT_API PEFT_NODISCARD peft_status peft_model_load(peft_backbone *b, const char *path, peft_model **out);
/* The same in memory, with the same bytes: a new tensor u8 [bytes of the file], which the caller frees, and a model of
 * size bytes at data. */
PEFT_API PEFT_NODISCARD peft_status peft_model_save_bytes(const peft_model *m, peft_tensor **out);
PEFT_API PEFT_NODISCARD peft_status
peft_model_load_bytes(peft_backbone *b, const void *data, size_t size, peft_model **out);

PEFT_END_DECLS
#endif
