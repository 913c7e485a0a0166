/* SPDX-License-Identifier: Apache-2.0
 * compiled.h -- a model compiled for one batch size, and the tensors that a call hands to it. */
#ifndef PF_COMPILED_H
#define PF_COMPILED_H
#include "core/graph/loss/loss.h"
#include "core/model/model.h"
#include "core/train/session/team.h"

/* images -> logits (-> loss -> gradients when loss is given). */
typedef struct pf_compiled {
    pf_exec exec;
    int64_t batch;                       /* 1 for a front */
    pf_val logits, loss;
    pf_crossing *crossing; uint32_t crossings; char key[65];         /* of a front or back: graph.h, pf_graph_cut */
    pf_val tap[16]; const char *tap_name[16]; int taps;      /* names are borrowed */
} pf_compiled;

/* What is compiled from a model, and with which settings. */
typedef struct pf_net_spec {
    const peft_model *model;
    const pf_loss *loss;                 /* NULL: none */
    const char *taps;                    /* wanted taps, comma separated; NULL: none. Must outlive the result. */
    pf_part part;
    pf_compile_spec compile;             /* from pf_team_spec */
} pf_net_spec;

/* Compiled and planned, not yet bound to memory. Without crossings it is whole, whatever part was wanted. */
peft_status pf_compiled_create(pf_compiled *c, const pf_net_spec *spec);
void        pf_compiled_free(pf_compiled *c);
size_t      pf_compiled_table_bytes(const pf_compiled *c);             /* what it holds beside the arena */
bool        pf_compiled_reads(const pf_compiled *c, int slot);         /* does a node read this input? */
pk_real    *pf_crossing_data(const pf_compiled *c, uint32_t i, int64_t sample);

/* --- side.c --- */
/* The side images of a method that takes them beside the images: a copy of the caller's, zeros behind. */
typedef struct pf_side { pk_real *room; int64_t batch, side, n; } pf_side;
peft_status pf_side_create(pf_side *s, const pf_compiled *c);          /* room stays NULL when the graph takes none */
size_t      pf_side_bytes(const pf_side *s);
void        pf_side_free(pf_side *s, peft_context *ctx);
peft_status pf_side_set(pf_side *s, const char *name, const peft_tensor *value);
/* For runs of c on a batch of n; the first sample c sees is number `first`. */
peft_status pf_side_bind(const pf_side *s, pf_compiled *c, int64_t n, int64_t first);

/* --- call.c --- */
/* images is [n,3,s,s] of the model's side with 1 <= n <= batch, and of a float type; writes n. */
peft_status pf_check_images(const peft_model *m, const peft_tensor *images, int64_t batch, int64_t *n);
/* out is n times the output of the model: [n,classes], or [n,h,w,classes] */
peft_status pf_check_logits(const peft_model *m, const peft_tensor *out, int64_t n);
#endif
