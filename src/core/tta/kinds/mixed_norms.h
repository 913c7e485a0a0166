/* SPDX-License-Identifier: Apache-2.0
 * mixed_norms.h -- the head's batch norms by mixed statistics (AdaBN of VPTTA, graph/ops/mixed_statistics.c), and the
 * discrepancy of the images' statistics from the mixture as a loss. */
#ifndef PF_MIXED_NORMS_H
#define PF_MIXED_NORMS_H
#include "core/tta/adaptor.h"

enum { PF_MIXED_NORMS_MAX = 64 };        /* more than the batch norms of any head */
typedef struct pf_mixed_norms {
    pk_real share;                       /* w: share of the images' statistics; set before each run */
    int count;                           /* batch norms of the graph that is being built, with these values: */
    struct { pf_val x, mean, deviation; } norm[PF_MIXED_NORMS_MAX];
} pf_mixed_norms;

/* Computes a batch norm; arguments as for pf_overlay.batch_norm. */
pf_val pf_mixed_norms_emit(pf_mixed_norms *m, pf_graph *g, const pf_val *in, double eps, bool relu);
/* For finish: adds the mean over all batch norms and their channels of |m - m'| + |s - s'| to the loss, where m, s are
 * mean and deviation of the images (of the unbiased variance), and m', s' those of the mixture, constants for the
 * gradient. PEFT_E_UNSUPPORTED: the head, which the message names, has no batch norm. */
void   pf_mixed_norms_finish(pf_mixed_norms *m, pf_graph *g, const char *head);
#endif
