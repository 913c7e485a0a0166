/* SPDX-License-Identifier: Apache-2.0
 * model.h -- the struct of a model (backbone, adapters in order of attachment, head), and the functions of
 * src/core/model that build its forward pass as a graph. */
#ifndef PF_MODEL_H
#define PF_MODEL_H
#include "core/adapt/adapter.h"
#include "core/model/heads/head.h"
#include "core/model/note.h"

/* For which model and adapter the network of a method is built (peft_method.network); the method passes it on to
 * peft_sys_vit_forward. */
struct peft_net { const peft_model *model; const peft_adapter *adapter; };

struct peft_model {
    atomic_int refs;
    atomic_int users;                    /* number of trainers, sessions and adaptors (pf_model_use) */
    peft_backbone *backbone;
    peft_options *options;
    peft_adapter **adapter; size_t adapters;
    const pf_head *head;
    pf_head_spec spec;                   /* of the head */
    int64_t classes;
    pf_shape output;                     /* of a sample's logits: pf_head.of; no extents with head=none, whose classes
                                          * are 0 */
    pf_feature pool;                     /* what the head reads */
    pf_params params;                    /* of the head */
    pf_params buffers;                   /* of the head: running statistics */
    pf_notes notes;
    pf_source_statistics source[PF_SOURCES];
    pf_rwlock lock;                      /* guards adapter, params, buffers, notes and source; see locks.h */
};

extern const pf_opt pf_model_options[];
/* Columns of the feature that the model's head reads. */
static inline int64_t pf_feature_width(const peft_model *m)
{
    const pf_vit_shape *v = &m->backbone->shape;
    return m->head->reads == PF_READS_FEATURE ? pf_vit_feature_width(v, m->pool) : v->width;
}
/* Does the head's batch norm have one row for each sample, so that it cannot train on a single one? That of a map has a
 * row for each pixel. */
static inline bool pf_model_normalises_samples(const peft_model *m)
{
    return m->buffers.count && m->head->reads == PF_READS_FEATURE;
}
/* PEFT_E_UNSUPPORTED: the model computes no logits (head=none). The message begins with subject. */
peft_status pf_model_check_logits(const peft_model *m, const char *subject);
peft_model *pf_model_retain(peft_model *m);
pf_param   *pf_model_buffer(const peft_model *m, size_t i);          /* of the adapters, then the head; or NULL */
size_t      pf_model_constant_bytes(const peft_model *m);            /* memory of its adapters' constants */
/* source: the file that the parameters will be read from (pf_adapter_make); NULL: none. */
peft_status pf_model_make(peft_backbone *b, const peft_options *o, pf_source *source, peft_model **out);

/* fits.c. PEFT_E_STATE: a cannot act together with an attached adapter; the message names both. */
peft_status pf_model_check_fits(const peft_model *m, peft_adapter *a);

/* checksum.c. Of the values of all its parameters and buffers. */
uint64_t    pf_model_checksum(const peft_model *m);

/* --- source.c --- */
/* The statistics that hold for b are copied to m, which is new; m must read the features of b. */
peft_status pf_source_inherit(peft_model *m, const peft_backbone *b);
/* Those of m are copied to the backbone that it is merged into; those that no longer hold are left out, with a
 * warning. */
peft_status pf_source_merge(const peft_model *m, peft_backbone *to);
/* Write the statistics of a model to a file, and read them. A file without them gives a model without them. */
peft_status pf_source_write(pf_st_out *o, const peft_model *m);
peft_status pf_source_read(const pf_st *st, peft_model *m);
bool        pf_source_has(const peft_model *m, const char *name);    /* Is this the name of one of their tensors? */

/* --- weight.c --- */
/* A tensor as a constant of the graph, whose elements are not copied. */
pf_val pf_const(pf_graph *g, const peft_tensor *t);
/* The backbone's tensor of this name: that of the graph's overlay, or the trained copy of an adapter that unfroze it,
 * else the frozen one. PF_NONE: no such tensor. */
pf_val pf_model_weight(const peft_model *m, pf_graph *g, const char *name);

/* The same tensor without an overlay; NULL: no such tensor. */
const peft_tensor *pf_model_tensor(const peft_model *m, const char *name);

/* --- vit/forward.c --- */
/* A tap function: is called with each intermediate value of the forward pass and its name, "embed", "block.N",
 * "sink_mass.N" or "feature" (what the head reads; not of a head that reads blocks). Returns whether it wants the
 * value. With v PF_NONE it is only asked: "sink_mass.N", which the pass itself does not need, is computed if the answer
 * is true, and then the function is called with it. */
typedef bool (*pf_tap_fn)(void *user, pf_graph *g, const char *name, pf_val v);
pf_val pf_model_images(const peft_model *m, pf_graph *g);                              /* the input "images" */
/* Builds the forward pass from images [b,3,h,w] to logits, with one row for each sample, or for each patch or pixel
 * (pf_head.of). tap may be NULL. */
pf_val pf_model_forward(const peft_model *m, pf_graph *g, pf_val images, pf_tap_fn tap, void *user);
#endif
