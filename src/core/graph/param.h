/* SPDX-License-Identifier: Apache-2.0
 * param.h -- a tensor that a method or head declares: name, value, and while a trainer trains it, the gradient. */
#ifndef PF_PARAM_H
#define PF_PARAM_H
#include "core/base/tensor.h"
#include "core/graph/graph.h"

struct peft_param {
    char *name;
    const char *group;                   /* static text */
    bool buffer;                         /* saved, but not trained */
    peft_tensor value;                   /* dense pk_real */
    peft_tensor grad;                    /* memory of the trainer; data NULL: no trainer has the parameter */
};
#endif
