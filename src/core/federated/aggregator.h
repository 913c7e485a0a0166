/* SPDX-License-Identifier: Apache-2.0
 * aggregator.h -- the struct of an aggregator (peft/federated.h) and the functions of src/core/federated. */
#ifndef PF_AGGREGATOR_H
#define PF_AGGREGATOR_H
#include <peft/federated.h>
#include "core/format/meta.h"

typedef enum pf_lora_rule { PF_LORA_FACTORS, PF_LORA_PRODUCT, PF_LORA_STACK, PF_LORA_RULES } pf_lora_rule;
typedef enum pf_ept_rule { PF_EPT_VALUES, PF_EPT_LOGITS, PF_EPT_MASS, PF_EPT_RULES } pf_ept_rule;

/* What becomes of a tensor. MEAN: the weighted mean of its elements. RUNNING_MEAN, RUNNING_VAR: statistics of a batch
 * norm. FIXED: not trained, the same in all files. */
typedef enum pf_slot_kind { PF_SLOT_MEAN, PF_SLOT_RUNNING_MEAN, PF_SLOT_RUNNING_VAR, PF_SLOT_FIXED } pf_slot_kind;

/* A tensor of the files; its elements are first .. first + count - 1 of all arrays below. */
typedef struct pf_slot {
    const char *name;
    int ndim;
    int64_t dim[PEFT_MAX_DIMS];
    int64_t first, count;
    pf_slot_kind kind;
    size_t partner;                      /* RUNNING_VAR: the slot of the means; RUNNING_MEAN: of the variances */
} pf_slot;

struct peft_aggregator {
    peft_context *ctx;
    pf_lora_rule lora;
    pf_ept_rule ept;
    /* The start, or if there is none the first site: what the others must fit. */
    pf_st *model;
    void *model_bytes;                   /* of model, if it was given in memory; else NULL */
    bool has_start;
    pf_slot *slot; size_t slots;
    int64_t elements;                    /* of all slots */
    double *origin;                      /* [elements] the values of model */
    double *sum;                         /* [elements] of weight * value, over the sites */
    double *value;                       /* [elements] scratch: the values of a site, or those of the result */
    pk_real *rounded;                    /* [elements] the result */
    double weight, squares;              /* sums over the sites: of weight, of weight * |value - origin|^2 */
    size_t sites, received;
    char *file;                          /* what peft_aggregator_bytes returned last; NULL: nothing */
};

/* --- fit.c --- */
/* PEFT_E_MISMATCH: the metadata of the file do not fit those of a->model. */
peft_status pf_fit_metadata(const peft_aggregator *a, const pf_st *st);

/* --- slots.c --- */
/* Makes a's slots from a->model. */
peft_status pf_slots_create(peft_aggregator *a);
/* Reads the values of the slots. PEFT_E_MISMATCH: the file has other tensors; PEFT_E_NONFINITE: NaN or Inf. */

peft_status pf_slots_read(const peft_aggregator *a, const pf_st *st, double *value);

/* --- mean.c --- */
/* Adds values of a site to the sums. */
void        pf_mean_add(peft_aggregator *a, const double *value, double weight);
/* Writes the means to a->value and the result to a->rounded. PEFT_E_NONFINITE: it is too large for f32. */
peft_status pf_mean_finish(peft_aggregator *a);
#endif
