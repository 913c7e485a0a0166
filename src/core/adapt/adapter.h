/* SPDX-License-Identifier: Apache-2.0
 * adapter.h -- the struct of an adapter (a method's parameters, buffers and state) and the functions of
 * src/core/adapt. */
#ifndef PF_ADAPTER_H
#define PF_ADAPTER_H
#include <peft/adapter.h>
#include "core/adapt/rwlock.h"
#include "core/graph/constants.h"
#include "core/graph/param.h"
#include "core/weights/backbone.h"

enum { PF_PARAM_NAME_MAX = 128 };        /* bytes of a declared tensor's name, with the 0 at its end */
/* A list of parameters or buffers, in the order of their declaration. */
typedef struct pf_params { pf_param **item; size_t count, capacity; } pf_params;

/* --- source.c --- */
/* The file from which the parameters of a new adapter or model will be read. While the parameters are made, each is
 * checked against the file: by name and extents if the file's tensors have the parameters' names (same_names); else by
 * the number of elements that may still be made (budget), so that a small damaged file cannot ask for gigabytes. file
 * NULL: nothing is checked. */
typedef struct pf_source { const pf_st *file; bool same_names; int64_t budget; } pf_source;
pf_source   pf_source_same_names(const pf_st *st);           /* a file of libpeft */
pf_source   pf_source_other_names(const pf_st *st);          /* a file of another library */
/* PEFT_E_FORMAT: st has no tensor of this name with these extents. */
peft_status pf_check_stored_extents(const pf_st *st, const char *name, int ndim, const int64_t *dims);
/* PEFT_E_FORMAT: the file cannot hold such a parameter. s NULL: PEFT_OK. Reduces the budget. */
peft_status pf_source_check(pf_source *s, const char *name, int ndim, const int64_t *dims);

/* A transformer that a method declared (peft_sys_declare_vit); its tensors' names begin with scope. */
typedef struct pf_network { char scope[32]; pf_vit_shape shape; } pf_network;

/* A mask that a method declared (peft_sys_declare_mask): a parameter if it is trained, a buffer if it is fixed. option:
 * the method's option that says which; keep: the fewest ones that pruning leaves in a row. */
typedef struct pf_mask { const char *option; pf_param *p; int64_t keep; } pf_mask;

struct peft_adapter {
    atomic_int refs;
    peft_backbone *backbone;
    const peft_method *method;
    peft_options *options;               /* those that the caller gave, and those of a preset; NULL: none */
    void *state;                         /* the method's: method->state_size bytes */
    pf_params params;
    pf_params buffers;                   /* saved, not trained */
    pf_constants constants;              /* matrices that the method computes once (peft_sys_constant) */
    pf_rwlock lock;                      /* guards the values of params and buffers */
    pf_network network[2]; int networks; /* in use: the first `networks` */
    pf_mask mask[4]; size_t masks;       /* in use: the first `masks` */
    peft_status status;                  /* the first error in init */
    char rule[64];                       /* the text that peft_sys_init_rule returns */
    /* While init runs: options that peft_sys_opt_pattern has read; matched[i]: item i of the option has set a value. */
    struct { char option[48]; uint8_t *matched; size_t items; } pattern[4];
    bool in_init;                        /* init is running */
    bool skip_init;                      /* no initial values: parameters will be read from a file */
    pf_source *source;                   /* the file, while init runs; NULL: none */
};

/* --- find_method.c --- */
/* The method of that name in a table that ends with NULL; NULL: not found, or table is NULL. */
const peft_method *pf_method_in(const peft_method *const *table, const char *name);
/* A built-in method or one registered on ctx; NULL: not found. */
const peft_method *pf_method_find(const peft_context *ctx, const char *name);

/* --- adapter.c --- */
/* The shape of a backbone as a peft_vit, the struct that methods get. */
peft_vit pf_vit_of(const pf_vit_shape *s);
peft_adapter *pf_adapter_retain(peft_adapter *a);
/* source NULL: with initial values. Else without them, because the caller reads the parameters from the source. */
peft_status pf_adapter_make(peft_backbone *b, const char *method, const peft_options *o, pf_source *source,
                            peft_adapter **out);

const pf_vit_shape *pf_adapter_network(const peft_adapter *a, const char *scope);      /* NULL: no such scope */

/* --- opt_lists.c --- */
/* Call it at the end of init. An item of a pattern that has set no value becomes the adapter's error. */
void pf_patterns_check(peft_adapter *a);

/* --- params.c --- */
/* Appends a parameter of zeros to list. group: a static text. */
peft_status pf_param_make(peft_context *ctx, pf_params *list, const char *name, const char *group, int ndim,
                          const int64_t *dims, pf_param **out);
void        pf_params_free(peft_context *ctx, pf_params *list);
pf_param   *pf_params_find(const pf_params *list, const char *name);        /* NULL: none */
const char *pf_param_group_of(const char *name);                            /* peft_param_group */
peft_status pf_init_check(const char *init);                                /* PEFT_E_OPTION: not an init rule */
/* Fills p by an init rule (peft/sys/method.h). The values depend only on the context's seed and p's name. */
peft_status pf_param_draw(peft_context *ctx, pf_param *p, const char *init);
#endif
