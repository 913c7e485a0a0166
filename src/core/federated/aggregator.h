/* SPDX-License-Identifier: Apache-2.0
 * aggregator.h -- the struct of an aggregator (peft/federated.h) and the functions of src/core/federated. */
#ifndef PF_AGGREGATOR_H
#define PF_AGGREGATOR_H
#include <peft/federated.h>
#include "core/format/meta.h"

typedef enum pf_lora_rule { PF_LORA_FACTORS, PF_LORA_PRODUCT, PF_LORA_STACK, PF_LORA_RULES } pf_lora_rule;
typedef enum pf_ept_rule { PF_EPT_VALUES, PF_EPT_LOGITS, PF_EPT_MASS, PF_EPT_RULES } pf_ept_rule;

/* The factors of a linear layer: the slots of A [r, in] and B [out, r]. */
typedef struct pf_pair { size_t a, b; } pf_pair;

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
    double clip, noise;                  /* options clip_norm and noise; 0: none */
    uint64_t seed;                       /* of the noise */
    bool noise_used;                     /* a result with noise was written */
    double divisor;                      /* option sites: what a noisy sum is divided by; 0: the number of sites */
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
    pf_pair *pair; size_t pairs;         /* with another rule than PF_LORA_FACTORS */
    /* With a rule that is not a mean of elements: the values [elements] of each site, and its weight. */
    double **kept, *kept_weight; size_t capacity;
    pk_real *stacked;                    /* PF_LORA_STACK: A and B of all pairs, in their order */
    size_t clipped;                      /* sites whose change was longer than clip */
    double weight, squares;              /* sums over the sites: of weight, of weight * |value - mean of the sites|^2 */
    size_t sites, received;
    char *file;                          /* what peft_aggregator_bytes returned last; NULL: nothing */
};

/* --- fit.c --- */
/* What a->model is, for messages: "the start" or "the first site". */
const char *pf_fit_reference(const peft_aggregator *a);
/* PEFT_E_MISMATCH: the metadata of the file do not fit those of a->model. */
peft_status pf_fit_metadata(const peft_aggregator *a, const pf_st *st);

/* --- slots.c --- */
/* Makes a's slots from a->model. */
peft_status pf_slots_create(peft_aggregator *a);
/* Reads the values of the slots. PEFT_E_MISMATCH: the file has other tensors; PEFT_E_NONFINITE: NaN or Inf. */
peft_status pf_slots_read(const peft_aggregator *a, const pf_st *st, double *value);

/* --- low_rank.c --- */
/* Finds the pairs. PEFT_E_UNSUPPORTED: the rule does not suit the file. */
peft_status pf_low_rank_create(peft_aggregator *a);
/* Replaces the means of A and B in a->value by the factors that the rule gives. */
peft_status pf_low_rank_product(peft_aggregator *a);
/* Fills a->stacked. */
peft_status pf_low_rank_stack(peft_aggregator *a);
/* The stacked tensor of slot i, with its extents; NULL: it is not one. */
const pk_real *pf_low_rank_stacked(const peft_aggregator *a, size_t i, int64_t dims[2]);

/* --- ept.c --- */
/* PEFT_E_UNSUPPORTED: the rule does not suit the file. */
peft_status pf_ept_check(const peft_aggregator *a);
/* Replaces the mean of the prompts in a->value by what the rule gives. */
void        pf_ept_finish(peft_aggregator *a);

/* --- privacy.c --- */
/* PEFT_E_UNSUPPORTED, PEFT_E_STATE: noise or clipping does not suit the file, or there is no start. */
peft_status pf_privacy_check(const peft_aggregator *a);
/* Shortens the change of a site's values to the option clip_norm. Returns whether it was longer. */
bool        pf_privacy_clip(const peft_aggregator *a, double *value);
/* Adds the noise to the sum of changes, and writes start + noisy sum / sites to a->value. */
void        pf_privacy_noise(peft_aggregator *a);

/* --- keep.c --- */
/* Whether the values of each site are kept. */
bool        pf_keeps_sites(const peft_aggregator *a);
/* Keeps a copy of the values; call it before pf_mean_add. */
peft_status pf_keep_site(peft_aggregator *a, const double *value, double weight);
void        pf_keep_free(peft_aggregator *a);
/* The text of an adapter's options, by its method's name; NULL: the file has no adapter of that method. */
const char *pf_options_of(const peft_aggregator *a, const char *method, size_t *adapter);
/* Reads such a text, and finds the table of the method's options. */
peft_status pf_options_read(const peft_aggregator *a, const char *method, const char *text, peft_options **out,
                            const pf_opt **table);

/* --- mean.c --- */
/* Adds values of a site to the sums. */
void        pf_mean_add(peft_aggregator *a, const double *value, double weight);
/* Writes the means to a->value and the result to a->rounded. PEFT_E_NONFINITE: it is too large for f32. */
peft_status pf_mean_finish(peft_aggregator *a);
#endif
