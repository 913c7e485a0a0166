/* SPDX-License-Identifier: Apache-2.0
 * loss_rows.h -- evaluates a loss outside of a graph. */
#ifndef LOSS_ROWS_H
#define LOSS_ROWS_H
#include <stdlib.h>
#include <string.h>
#include "core/graph/loss/loss.h"

/* The value of a loss of this kind, with options o, by this thread alone. Rows without a number of samples are of one
 * sample. The scratch memory is filled with NaN before. */
static inline double loss_of(const pf_loss_kind *kind, const pf_loss *o, pf_loss_rows r, pk_real *grad)
{
    pf_loss loss = *o;
    loss.kind = kind;
    if (!r.samples) r.samples = 1;
    const size_t bytes = pf_loss_scratch(&loss, &r, 1);
    r.scratch = malloc(bytes);
    memset(r.scratch, 0xff, bytes);
    const double value = kind->evaluate(&loss, &r, grad);
    free(r.scratch);
    return value;
}
#endif
