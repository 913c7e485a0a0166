/* SPDX-License-Identifier: Apache-2.0
 * param.h -- a declared tensor: name, value, and the gradient buffer that a trainer lends a trained one. */
#ifndef PF_PARAM_H
#define PF_PARAM_H
#include "core/base/tensor.h"
#include "core/graph/graph.h"

struct peft_param {
    char *name;
    const char *group;                   /* static text */
    bool buffer;                         /* saved, not trained */
    peft_tensor value;                   /* dense pk_real */
    peft_tensor grad;                    /* data NULL while no trainer holds the parameter */
};
#endif
