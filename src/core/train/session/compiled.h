/* SPDX-License-Identifier: Apache-2.0
 * compiled.h -- a model compiled to a graph for one batch size (of a session or trainer), the inputs that its methods
 * declare, and checks of the tensors of a call. A tap is an intermediate value ("embed", "block.N", "feature") that is
 * kept, so that the application can read it after a run. */
#ifndef PF_COMPILED_H
#define PF_COMPILED_H
#include "core/graph/loss/loss.h"
#include "core/model/locks.h"
#include "core/train/session/team.h"

enum { PF_TAPS_MAX = 16 };

/* The graph computes logits of images; with a loss also the loss and the gradients. */
typedef struct pf_compiled {
    pf_exec exec;
    int64_t batch;                       /* samples that the graph is for; 1 for PF_PREFIX_PART */
    pf_val logits, loss;
    uint32_t loss_node;                  /* index of the loss node; unused without a loss */
    pf_val feature;                      /* the pooled feature [batch, 1, width]; PF_NONE: not kept, or there is none */
    int images, labels;                  /* indices of inputs; labels: of "labels" or "targets", -1 without a loss */
    int given[PF_INPUTS_MAX], given_count;   /* indices of the inputs that methods declared */
    /* What the frozen prefix computes and the rest reads, if the graph is one of these two parts; crossings 0: it is
     * whole. key: digest of the prefix. */
    pf_crossing *crossing; uint32_t crossings; char key[65];
    pf_val tap[PF_TAPS_MAX]; const char *tap_name[PF_TAPS_MAX]; int taps;      /* names point into spec.taps */
} pf_compiled;

/* What is compiled from a model, and with which settings. */
typedef struct pf_net_spec {
    const peft_model *model;
    const pf_loss *loss;                 /* NULL: none */
    const char *taps;                    /* wanted taps: "embed,block.3"; NULL: none. Must outlive the result. */
    bool feature;                        /* keep the pooled feature, if the model has one */
    pf_part part;                        /* which nodes of the graph (graph.h) */
    pf_compile_spec compile;             /* from pf_team_spec */
} pf_net_spec;

/* Compiles and plans the graph, but does not bind it to memory. If the frozen prefix cannot be cut off, crossings is 0
 * and the result is the whole graph, whatever part was wanted. */
peft_status pf_compiled_create(pf_compiled *c, const pf_net_spec *spec);
void        pf_compiled_free(pf_compiled *c);
size_t      pf_compiled_table_bytes(const pf_compiled *c);             /* memory without the arena */
/* The elements of crossing value i that belong to one sample of the batch. */
pk_real    *pf_crossing_data(const pf_compiled *c, uint32_t i, int64_t sample);

/* --- given.c --- */
/* An input that a method declared, of shape [batch, ..]. data: a copy of the application's tensor, n samples of
 * per_sample elements, then zeros up to the batch. n 0: the application has not given it yet. */
typedef struct pf_given_input { char name[40]; pf_shape shape; int64_t per_sample, n; pk_real *data; } pf_given_input;
/* All inputs that methods declared, in the order of pf_compiled.given. */
typedef struct pf_given { pf_given_input item[PF_INPUTS_MAX]; int count; int64_t batch; } pf_given;
peft_status pf_given_create(pf_given *s, const pf_compiled *c);        /* c: any graph of the model and batch */
size_t      pf_given_bytes(const pf_given *s);
void        pf_given_free(pf_given *s, peft_context *ctx);
/* Copies value. PEFT_E_NOTFOUND: no such input; PEFT_E_SHAPE, PEFT_E_DTYPE: value does not fit it. */
peft_status pf_given_set(pf_given *s, const char *name, const peft_tensor *value);
/* Binds all of them to c for a call of n samples, from sample `first` on. PEFT_E_STATE: one was given for another
 * number of samples. */
peft_status pf_given_bind(const pf_given *s, pf_compiled *c, int64_t n, int64_t first);

/* --- call.c --- */
/* Checks that images is [n,3,s,s], f32 or f64, with the model's image size s and 1 <= n <= batch; sets *n. */
peft_status pf_check_images(const peft_model *m, const peft_tensor *images, int64_t batch, int64_t *n);
/* Checks that x, which messages call `name`, has the extents n and then those of sample. */
peft_status pf_check_samples(const pf_shape *sample, const char *name, const peft_tensor *x, int64_t n);
peft_status pf_check_result(const pf_shape *sample, const peft_tensor *out, int64_t n);    /* for a result */
#endif
