/* SPDX-License-Identifier: Apache-2.0
 * optimizer.h -- one update of trained tensors: the norm of their gradients, and a step of SGD or AdamW. Trainers and
 * adaptors use it. */
#ifndef PF_OPTIMIZER_H
#define PF_OPTIMIZER_H
#include "core/graph/param.h"
#include "core/train/session/engine.h"

/* The values of the trainer's options with these names; clip: option clip_norm. adamw: option optimizer is adamw;
 * false: it is sgd, which alone uses nesterov and momentum. */
typedef struct pf_optimizer {
    bool adamw, nesterov;
    double weight_decay, beta1, beta2, eps, momentum, clip;
} pf_optimizer;

/* A trained parameter with its optimiser state. */
typedef struct pf_trained {
    pf_param *p;                         /* name, value, gradient */
    int64_t count;                       /* elements */
    pk_real *m, *v;                      /* first and second moments; v NULL: SGD, whose m is the momentum buffer */
    /* NULL without the option. Option proximal: the values that training began with; extrapolate: those before the
     * pass, and the mean gradient of this rank at its last update. */
    pk_real *start, *kept, *direction;
    double lr_scale, weight_decay;
    bool frozen;                         /* updates leave the parameter and its moments as they are */
    int64_t skipped;                     /* updates while it was frozen */
    int64_t earlier;                     /* updates before a warm start: step - skipped + earlier made its moments */
} pf_trained;

/* step: updates before this one. grad_scale: factor of all gradients. */
typedef struct pf_update {
    const pf_engine *engine;
    const pf_optimizer *optimizer;
    pf_trained *trained; size_t trained_count;
    int64_t step;
    double grad_scale, lr;
} pf_update;

int         pf_optimizer_moments(const pf_optimizer *o);             /* of each parameter: AdamW 2, SGD 1 */
/* The L2 norm of the gradients of all parameters that are not frozen, without grad_scale. */
double      pf_gradient_norm(const pf_update *u);
/* Updates all parameters that are not frozen, and counts the update in `skipped` of the others. Returns the name of the
 * first parameter that then holds NaN or Inf, or whose moments do; NULL: none. */
const char *pf_update_all(const pf_update *u);
#endif
