/* SPDX-License-Identifier: Apache-2.0
 * adapter.h -- the adapter inside: a method's parameters and state. */
#ifndef PF_ADAPTER_H
#define PF_ADAPTER_H
#include <peft/adapter.h>
#include "core/adapt/guard.h"
#include "core/graph/constants.h"
#include "core/graph/param.h"
#include "core/weights/backbone.h"

typedef struct pf_params { pf_param **item; size_t count, room; } pf_params;

/* The file that values will be read from. named: under the parameters' own names, which are then compared one by one;
 * else the numbers of all parameters together must not be many more than it holds. file NULL: nothing is compared. */
typedef struct pf_source { const pf_st *file; bool named; int64_t left; } pf_source;
pf_source   pf_source_of(const pf_st *st, bool named);
/* Is there a tensor of these extents? Else PEFT_E_FORMAT. (source.c) */
peft_status pf_state_fits(const pf_st *st, const char *name, int ndim, const int64_t *dims);
/* PEFT_E_FORMAT where the file does not hold such a parameter; s NULL: PEFT_OK. */
peft_status pf_source_holds(pf_source *s, const char *name, int ndim, const int64_t *dims);

typedef struct pf_network { char scope[32]; pf_vit_shape shape; } pf_network;

struct peft_adapter {
    atomic_int refs;
    peft_backbone *backbone;
    const peft_method *method;
    peft_options *options;               /* as given; NULL: none */
    void *state;
    pf_params params;
    pf_params buffers;                   /* saved, not trained */
    pf_constants constants;
    pf_guard guard;                      /* of the values of params and buffers */
    pf_network network[2]; int networks; /* transformers the method declared */
    peft_status status;                  /* the first error of init */
    char rule[64];                       /* peft_sys_init_rule's text */
    struct { char option[48]; uint8_t *hit; size_t items; } pattern[4];      /* in init: which items matched a path */
    bool making;                         /* init runs */
    bool blank;                          /* made to be filled from a file: initial values are not drawn */
    pf_source *source;                   /* while init runs; NULL: not from a file */
};

/* find_method.c: the method of that name in a table that ends with NULL (table NULL: an empty one); NULL: not there. */
const peft_method *pf_method_in(const peft_method *const *table, const char *name);
/* Of the library, or registered on ctx; NULL: no such method. */
const peft_method *pf_method_find(const peft_context *ctx, const char *name);
peft_vit pf_vit_of(const pf_vit_shape *s);                                    /* as methods see it */
peft_adapter *pf_adapter_retain(peft_adapter *a);
/* source NULL: with initial values; else blank, to be filled. */
peft_status pf_adapter_make(peft_backbone *b, const char *method, const peft_options *o, pf_source *source,
                            peft_adapter **out);

const pf_vit_shape *pf_adapter_network(const peft_adapter *a, const char *scope);      /* NULL: none so named */

/* opt_lists.c: at the end of init, an item of a pattern that matched nothing becomes the adapter's error. */
void pf_patterns_end(peft_adapter *a);

/* params.c: making, naming, finding parameters; drawing initial values. */
peft_status pf_param_make(peft_context *ctx, pf_params *list, const char *name, const char *group, int ndim,
                          const int64_t *dims, pf_param **out);
void        pf_params_free(peft_context *ctx, pf_params *list);
pf_param   *pf_params_find(const pf_params *list, const char *name);        /* NULL: none */
const char *pf_param_group_of(const char *name);
peft_status pf_init_check(const char *init);                                /* is it one of the rules? */
/* Fills p by an init rule of peft/sys/method.h; values depend on the context's seed and the name alone. */
peft_status pf_param_draw(peft_context *ctx, pf_param *p, const char *init);
#endif
