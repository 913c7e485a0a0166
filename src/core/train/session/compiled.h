/* SPDX-License-Identifier: Apache-2.0
 * compiled.h -- a model compiled to a graph for one batch size (of a session or trainer), the inputs that its methods
 * declare, and checks of the tensors that an application passes to a call. A tap is an intermediate value ("embed",
 * "block.N", "feature") that is kept, so that the application can read it after a run. */
#ifndef PF_COMPILED_H
#define PF_COMPILED_H
#include "core/graph/loss/loss.h"
#include "core/model/locks.h"
#include "core/train/session/engine.h"

enum { PF_TAPS_MAX = 2 * PEFT_DEPTH_MAX + 2 };

/* The graph computes logits of images; with a loss also the loss and the gradients. */
typedef struct pf_compiled {
    pf_exec exec;
    int64_t batch;                       /* samples that the graph is for; 1 for PF_PREFIX_PART */
    pf_val logits, loss;                 /* loss: with the added ones (pf_loss_add); PF_NONE: none */
    pf_val added;                        /* the added losses alone, [1]; PF_NONE: none */
    uint32_t loss_node;                  /* index of the node of the labels' loss; 0 if pf_net_spec.loss is NULL */
    uint32_t loss_end;                   /* number of nodes up to the one that computes `loss`; without a loss all */
    pf_val feature;                      /* the pooled feature [batch, 1, width]; PF_NONE: not kept, or there is none */
    /* Indices among the inputs of the graph. labels: of input "labels" or "targets"; -1: the graph has no loss. */
    int images, labels, method_input[PF_INPUTS_MAX], method_input_count;
    /* The crossing values, which the frozen prefix computes and the rest reads, if the graph is one of these two parts;
     * crossings 0: the graph is the whole model. key: digest of the prefix. */
    pf_crossing *crossing; uint32_t crossings; char key[PF_PREFIX_KEY_SIZE];
    pf_val tap[PF_TAPS_MAX]; const char *tap_name[PF_TAPS_MAX]; int tap_count; /* names point into spec.taps */
} pf_compiled;

/* What is compiled from a model, and with which settings. */
typedef struct pf_net_spec {
    const peft_model *model;
    const pf_loss *loss;                 /* of labels; NULL: none */
    const pf_overlay *overlay;           /* NULL: none. Must outlive the result. */
    const char *taps;                    /* wanted taps: "embed,block.3"; NULL: none. Must outlive the result. */
    bool keep_feature;                   /* keep the pooled feature, if the model has one */
    pf_part part;                        /* of the model: all, the frozen prefix, or the nodes after the prefix */
    pf_compile_spec compile;             /* made by pf_engine_spec */
} pf_net_spec;

/* Compiles and plans the graph, but does not bind it to memory. If the model has no frozen prefix to cut off,
 * crossings is 0 and the result is the whole graph, whatever part was wanted. */
peft_status pf_compiled_create(pf_compiled *c, const pf_net_spec *spec);
void        pf_compiled_free(pf_compiled *c);
size_t      pf_compiled_table_bytes(const pf_compiled *c);             /* memory without the arena */
/* The elements of crossing value i that belong to one sample of the batch. */
pk_real    *pf_crossing_data(const pf_compiled *c, uint32_t i, int64_t sample);

/* --- method_inputs.c --- */
/* An input that a method declared, of shape [batch, ..]. data: a copy of the application's tensor, n samples of
 * per_sample elements, then zeros up to the batch. n 0: the application has not set this input yet. */
typedef struct pf_method_input { char name[40]; pf_shape shape; int64_t per_sample, n; pk_real *data; } pf_method_input;
/* All inputs that methods declared, in the order of pf_compiled.method_input. */
typedef struct pf_method_inputs { pf_method_input item[PF_INPUTS_MAX]; int count; int64_t batch; } pf_method_inputs;
peft_status pf_method_inputs_create(pf_method_inputs *all, const pf_compiled *c);  /* c: a graph for the full batch */
size_t      pf_method_inputs_bytes(const pf_method_inputs *all);
void        pf_method_inputs_free(pf_method_inputs *all, peft_context *ctx);
/* Copies value. PEFT_E_NOTFOUND: no such input; PEFT_E_SHAPE, PEFT_E_DTYPE: value does not fit the input. */
peft_status pf_method_inputs_set(pf_method_inputs *all, const char *name, const peft_tensor *value);
/* Bind the copies to the inputs of c, for a call of the application with n samples. PEFT_E_STATE: an input was set for
 * another number of samples. _from: the graph gets the samples from `first` on; c may be for fewer than n. */
peft_status pf_method_inputs_bind(const pf_method_inputs *all, pf_compiled *c, int64_t n);
peft_status pf_method_inputs_bind_from(const pf_method_inputs *all, pf_compiled *c, int64_t n, int64_t first);

/* --- call.c --- */
/* Checks that images is [n,3,h,w], f32 or f64, with the model's h and w and 1 <= n <= batch; sets *n. */
peft_status pf_check_images(const peft_model *m, const peft_tensor *images, int64_t batch, int64_t *n);
/* Checks that x, which messages call `name`, is of type PF_REAL with the extents n and then those of sample. */
peft_status pf_check_samples(const pf_shape *sample, const char *name, const peft_tensor *x, int64_t n);
/* The same for the tensor that a call writes its result to. */
peft_status pf_check_result(const pf_shape *sample, const peft_tensor *out, int64_t n);
/* PEFT_E_NONFINITE: one of n images, of `image` elements each, has NaN or Inf among its pixels. The message names it,
 * and its sample id if ids is not NULL. */
peft_status pf_check_pixels(const pk_real *images, int64_t image, const int64_t *ids, int64_t n);
/* PEFT_E_NONFINITE: one of the n * per_image values in x is NaN or Inf. The message names the image, and the value by
 * `name` and its index along the last extent, which is width: "the logit of class 2". */
peft_status pf_check_finite(const pk_real *x, int64_t n, int64_t per_image, const char *name, int64_t width);
/* The elements of x as pk_real: x->data if x has this type, else buffer, into which they are converted. */
const void *pf_as_real(const peft_tensor *x, pk_real *buffer);
#endif
