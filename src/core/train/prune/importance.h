/* SPDX-License-Identifier: Apache-2.0
 * importance.h -- the struct of peft_importance, and its scores. */
#ifndef PF_IMPORTANCE_H
#define PF_IMPORTANCE_H
#include <peft/prune.h>
#include "core/train/trainer.h"

enum { PF_MASKS_MAX = sizeof ((peft_adapter *)0)->mask / sizeof *((peft_adapter *)0)->mask };
/* How scores are made of gradients; option "score" and "norm". */
typedef struct pf_scoring { bool absolute, norm; } pf_scoring;

struct peft_importance {
    peft_adapter *adapter;
    const pf_mask *mask[PF_MASKS_MAX]; int masks;            /* the trained ones */
    double *sum, *magnitude;             /* of the gradients, and of their absolute values, over all batches: one mask
                                          * after the other */
    int64_t elements;                    /* of all masks */
    int64_t batches;
    pf_opt option[PF_MASKS_MAX + 4];     /* of peft_adapter_prune: score, norm, across, one for each mask, a row of 0 */
};

extern const pf_opt pf_scoring_options[];                    /* "score" and "norm" */
/* Reads both options, from o or their defaults. */
peft_status pf_scoring_read(const peft_options *o, pf_scoring *scoring);
/* PEFT_E_STATE: no batch was added. who: the public function, for the message. */
peft_status pf_importance_ready(const peft_importance *i, const char *who);
/* Writes the scores of mask number `mask` to scores [its elements], in double. */
void        pf_mask_scores(const peft_importance *i, int mask, pf_scoring scoring, double *scores);
#endif
