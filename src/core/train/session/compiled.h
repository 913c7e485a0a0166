/* SPDX-License-Identifier: Apache-2.0
 * compiled.h -- a model compiled for one batch size, and the tensors that a call hands to it. */
#ifndef PF_COMPILED_H
#define PF_COMPILED_H
#include "core/graph/loss/loss.h"
#include "core/model/locks.h"
#include "core/train/session/team.h"

enum { PF_TAPS_MAX = 16 };

/* images -> logits (-> loss -> gradients when loss is given). */
typedef struct pf_compiled {
    pf_exec exec;
    int64_t batch;                       /* 1 for a front */
    pf_val logits, loss;
    uint32_t loss_node;                  /* its number, where there is a loss */
    pf_val feature;                      /* the pooled feature [batch, 1, width]; PF_NONE: not kept, or there is none */
    int images, labels;                  /* indices of inputs; labels -1: none. labels may be "labels" or "targets" */
    int given[PF_INPUTS_MAX], givens;    /* of those that methods declared */
    pf_crossing *crossing; uint32_t crossings; char key[65];         /* of a front or back: graph.h, pf_graph_cut */
    pf_val tap[PF_TAPS_MAX]; const char *tap_name[PF_TAPS_MAX]; int taps;      /* names are borrowed */
} pf_compiled;

/* What is compiled from a model, and with which settings. */
typedef struct pf_net_spec {
    const peft_model *model;
    const pf_loss *loss;                 /* NULL: none */
    const char *taps;                    /* wanted taps, comma separated; NULL: none. Must outlive the result. */
    bool feature;                        /* the pooled feature is kept, where the model has one */
    pf_part part;
    pf_compile_spec compile;             /* from pf_team_spec */
} pf_net_spec;

/* Compiled and planned, not yet bound to memory. Where the prefix cannot be cut off (crossings is 0 then) the result is
 * the whole graph, whatever part was wanted. */
peft_status pf_compiled_create(pf_compiled *c, const pf_net_spec *spec);
void        pf_compiled_free(pf_compiled *c);
size_t      pf_compiled_table_bytes(const pf_compiled *c);             /* what it holds beside the arena */
pk_real    *pf_crossing_data(const pf_compiled *c, uint32_t i, int64_t sample);

/* --- given.c --- */
/* An input that a method declared, of shape [batch, ..]: room holds a copy of the application's tensor, of n samples
 * with `one` elements each, and zeros behind them. n 0: not given yet. */
typedef struct pf_given_input { char name[40]; pf_shape shape; int64_t one, n; pk_real *room; } pf_given_input;
/* All of them, in the order of pf_compiled.given. */
typedef struct pf_given { pf_given_input item[PF_INPUTS_MAX]; int count; int64_t batch; } pf_given;
peft_status pf_given_create(pf_given *s, const pf_compiled *c);        /* of any graph of the model for this batch */
size_t      pf_given_bytes(const pf_given *s);
void        pf_given_free(pf_given *s, peft_context *ctx);
/* Copies value. PEFT_E_NOTFOUND: no such input; PEFT_E_SHAPE, PEFT_E_DTYPE: value does not fit it. */
peft_status pf_given_set(pf_given *s, const char *name, const peft_tensor *value);
/* Binds all of them to c for a call of n samples; c runs on those from number `first` on. PEFT_E_STATE: one was given
 * for another number of samples. */
peft_status pf_given_bind(const pf_given *s, pf_compiled *c, int64_t n, int64_t first);

/* --- call.c --- */
/* images is [n,3,s,s] of the model's side with 1 <= n <= batch, and of a float type; writes n. */
peft_status pf_check_images(const peft_model *m, const peft_tensor *images, int64_t batch, int64_t *n);
/* x, called `who` in messages, has the shape `one` of a sample n times: [n, ..]. */
peft_status pf_check_samples(const pf_shape *one, const char *who, const peft_tensor *x, int64_t n);
peft_status pf_check_result(const pf_shape *one, const peft_tensor *out, int64_t n);    /* of a tensor for the result */
#endif
