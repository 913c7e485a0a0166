/* SPDX-License-Identifier: Apache-2.0
 * extents.h -- which numbers of a compiled graph are multiples of its batch size, so that it can run smaller batches
 * where it stands, in the memory that it has. */
#ifndef PF_EXTENTS_H
#define PF_EXTENTS_H
#include "core/train/session/compiled.h"

typedef struct pf_extent { int64_t *at, each; } pf_extent;           /* *at is each * batch */
typedef struct pf_extents { pf_extent *item; size_t count; pf_compiled *of; } pf_extents;

/* Compiles spec, from which `of` was made, for one sample more and compares the two: what differs follows the batch.
 * Leaves scratch for every smaller batch in of's plan, which is not bound to memory yet. count 0: one of the two has
 * another structure, and `of` runs its own batch size only. */
peft_status pf_extents_find(pf_extents *e, pf_compiled *of, const pf_net_spec *spec);
void        pf_extents_free(pf_extents *e, peft_context *ctx);
/* From now on the graph is one of n samples, 1 to the batch that it was compiled for. false: not possible. */
bool        pf_extents_set(pf_extents *e, int64_t n);
#endif
