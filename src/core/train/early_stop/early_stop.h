/* SPDX-License-Identifier: Apache-2.0
 * early_stop.h -- the struct behind peft_early_stop. */
#ifndef PF_EARLY_STOP_H
#define PF_EARLY_STOP_H
#include <peft/early_stop.h>
#include "core/model/locks.h"
#include "core/model/model.h"

struct peft_early_stop {
    peft_model *model;                   /* in use (pf_model_use) */
    bool minimise;
    int64_t patience, best_epoch, last_epoch, waited;        /* epochs: -1 for none */
    double min_delta, best;              /* best: NaN for none */
    pk_real *values;                     /* those of the best epoch, one tensor after the other, behind the struct */
    size_t bytes;
};

/* Tensor i of the model, parameters before buffers, with the prefix of its name in a file; NULL: no such index. */
const pf_param *pf_early_stop_tensor(const peft_early_stop *e, size_t i, const char **prefix);
/* The error of a call whose e is NULL. */
peft_status pf_early_stop_null(void);
#endif
