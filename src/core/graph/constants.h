/* SPDX-License-Identifier: Apache-2.0
 * constants.h -- constants that a method makes (peft_sys_constant), by name. They are filled once and shared by all
 * graphs of the adapter, whatever their batch. */
#ifndef PF_CONSTANTS_H
#define PF_CONSTANTS_H
#include <pthread.h>
#include "core/graph/graph.h"

/* data stands behind it in the same block. */
typedef struct pf_constant { struct pf_constant *next; char name[128]; pf_shape shape; pk_real *data; } pf_constant;
struct pf_constants {
    pthread_mutex_t lock;                /* several sessions may be made at once */
    pf_constant *first;
    size_t bytes;                        /* of all */
};

peft_status pf_constants_init(pf_constants *c);
void        pf_constants_free(pf_constants *c, peft_context *ctx);     /* once per init */
size_t      pf_constants_bytes(pf_constants *c);
#endif
