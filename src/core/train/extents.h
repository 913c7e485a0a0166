/* SPDX-License-Identifier: Apache-2.0
 * extents.h -- runs a compiled graph on fewer samples than it was compiled for, in the same memory and without another
 * compilation, by changing all numbers in it that are multiples of the batch size. A trainer does this for the last,
 * smaller batch of an epoch. */
#ifndef PF_EXTENTS_H
#define PF_EXTENTS_H
#include "core/train/session/compiled.h"

/* A number in the graph (extent of a shape, or attribute of a node) that is per_sample * batch. */
typedef struct pf_extent { int64_t *number, per_sample; } pf_extent;
/* All such numbers of the compiled graph `net`. */
typedef struct pf_extents { pf_extent *item; size_t count; pf_compiled *net; } pf_extents;

/* Fills e for net, which was compiled from spec and is not bound to memory yet, by comparison with a graph compiled for
 * one sample more. Enlarges the scratch in net's plan to what any smaller batch needs. count is 0 if the two graphs
 * differ in structure: then net runs full batches only. */
peft_status pf_extents_find(pf_extents *e, pf_compiled *net, const pf_net_spec *spec);
/* Compiles net from spec and fills e, as above. If the plan exceeds spec.memory_limit, with the scratch of any smaller
 * batch, the recompute pass reduces it; PEFT_E_UNSUPPORTED: not enough. */
peft_status pf_extents_compile(pf_extents *e, pf_compiled *net, const pf_net_spec *spec);
void        pf_extents_free(pf_extents *e, peft_context *ctx);
/* Makes the graph one for n samples, 1 to the batch that it was compiled for. false: not possible; nothing changed. */
bool        pf_extents_set(pf_extents *e, int64_t n);
#endif
