/* SPDX-License-Identifier: Apache-2.0
 * model.h -- the model inside: backbone, adapters in order, head; and its forward pass as a graph. */
#ifndef PF_MODEL_H
#define PF_MODEL_H
#include "core/adapt/adapter.h"
#include "core/model/heads/head.h"
#include "core/model/note.h"

struct peft_net { const peft_model *model; const peft_adapter *adapter; };

struct peft_model {
    atomic_int refs;
    atomic_int users;                    /* trainers and sessions compiled from it */
    peft_backbone *backbone;
    peft_options *options;
    peft_adapter **adapter; size_t adapters;
    const pf_head *head;
    int64_t classes, head_layers;
    pf_shape output;                     /* of a sample: [classes], or [h, w, classes] of a head that makes a map, or,
                                          * with classes 0 (head=none), of no extents */
    bool mean_pool;
    pf_params params;                    /* of the head */
    pf_params buffers;                   /* of the head: running statistics */
    pf_notes notes;
    pf_rwlock lock;                      /* of all above that can change; see locks.h */
};

extern const pf_opt pf_model_options[];
/* PEFT_E_UNSUPPORTED, with a message that begins with who, where the model makes no logits (head=none). */
peft_status pf_model_has_logits(const peft_model *m, const char *who);
peft_model *pf_model_retain(peft_model *m);
pf_param   *pf_model_buffer(const peft_model *m, size_t i);          /* of the adapters, then the head; NULL: no more */
size_t      pf_model_constant_bytes(const peft_model *m);            /* of the constants that its adapters made */
/* source as for pf_adapter_make */
peft_status pf_model_make(peft_backbone *b, const peft_options *o, pf_source *source, peft_model **out);

/* fits.c: PEFT_OK where a can act beside every attached adapter, else PEFT_E_STATE that names both. */
peft_status pf_model_fits(const peft_model *m, peft_adapter *a);

/* weight.c: a tensor as a constant. */
pf_val pf_const(pf_graph *g, const peft_tensor *t);
/* A backbone tensor by name: the trained copy of the adapter that unfroze it, else the frozen one; PF_NONE: none. */
pf_val pf_model_weight(const peft_model *m, pf_graph *g, const char *name);

/* vit.c: images [b,3,s,s] to logits, a row for each sample or, with a head that reads patches, for each patch. tap,
 * when given, is called with the values "embed", "block.N" and "feature". */
typedef void (*pf_tap_fn)(void *user, pf_graph *g, const char *name, pf_val v);
pf_val pf_model_images(const peft_model *m, pf_graph *g);                              /* the input "images" */
pf_val pf_model_forward(const peft_model *m, pf_graph *g, pf_val images, pf_tap_fn tap, void *user);
#endif
