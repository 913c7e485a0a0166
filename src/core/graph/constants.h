/* SPDX-License-Identifier: Apache-2.0
 * constants.h -- the named constants of an adapter that its method makes (peft_sys_constant). Each is filled once and
 * shared by all graphs of the adapter, whatever their batch. */
#ifndef PF_CONSTANTS_H
#define PF_CONSTANTS_H
#include <pthread.h>
#include "core/graph/graph.h"

/* data points into the same block of memory, after the struct. */
typedef struct pf_constant { struct pf_constant *next; char name[128]; pf_shape shape; pk_real *data; } pf_constant;
struct pf_constants {
    pthread_mutex_t lock;                /* several threads may make sessions of one adapter at once */
    pf_constant *first;
    size_t bytes;                        /* memory of all constants */
};

peft_status pf_constants_init(pf_constants *c);
void        pf_constants_free(pf_constants *c, peft_context *ctx);     /* exactly once after an init */
size_t      pf_constants_bytes(pf_constants *c);
#endif
