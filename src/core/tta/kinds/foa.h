/* SPDX-License-Identifier: Apache-2.0
 * foa.h -- the state of kind foa of test-time adaptation (foa.c), and those of its functions that tests compare with
 * references. */
#ifndef PF_FOA_H
#define PF_FOA_H
#include "core/tta/adaptor.h"
#include "core/tta/cma/cma.h"

/* width: elements of a token; dim = tokens * width: variables of CMA-ES. */
typedef struct pf_foa {
    pf_param *prompts;                   /* [tokens,width], read by the graph: after a call the best of its batch */
    pf_param *shift;                     /* [width], read by the graph: what is added to the pooled feature */
    pf_cma *search;
    const char *title;                   /* "foa, full covariance" */
    uint64_t seed;                       /* the context's, when the adaptor was made */
    double lambda, strength, keep;       /* options lambda, shift, history */
    /* [width]. mean: the sum over this batch's candidates of the pooled feature's mean over the images; history: the
     * moving average of that sum divided by the number of candidates. */
    double *history, *mean;
    double *fitness, *previous;          /* [population + 1]; [dim]: the best prompts of the batch before */
    pk_real *best;                       /* [dim]: the best prompts of this batch so far */
    int64_t finite;                      /* candidates of the last batch whose fitness was a finite number */
    bool warned;                         /* that only the prompts of the batch before had a finite fitness */
    pf_val shifted;                      /* the logits of the shifted feature */
} pf_foa;

/* Sets the shift: strength * (mean of the training images - history), or zeros before the first batch. */
void   pf_foa_set_shift(peft_adaptor *a);
/* Runs the graph with the prompts that `prompts` holds. Returns the fitness divided by the number of images: the mean
 * entropy of the logits plus the weighted discrepancy of the features; infinity if it is NaN. */
double pf_foa_evaluate(peft_adaptor *a);
#endif
