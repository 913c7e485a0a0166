/* SPDX-License-Identifier: Apache-2.0
 * loss.h -- what a loss node needs to know; it must outlive the graph. */
#ifndef PF_LOSS_H
#define PF_LOSS_H
#include "core/graph/loss/loss_math.h"

/* CE reads labels, the others targets. */
typedef enum { PF_LOSS_CE, PF_LOSS_BCE, PF_LOSS_SOFT_CE } pf_loss_kind;
typedef struct pf_loss { pf_loss_kind kind; pf_ce ce; pf_bce bce; } pf_loss;
#endif
