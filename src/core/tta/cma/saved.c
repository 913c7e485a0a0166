/* SPDX-License-Identifier: Apache-2.0
 * saved.c -- the state of CMA-ES as arrays that a file can hold, and the checks of one that was read. */
#include <math.h>
#include "core/tta/cma/state.h"

int pf_cma_state(pf_cma *es, pf_cma_array a[PF_CMA_ARRAYS])
{
    int count = 0;
    const int64_t n = es->dim;
    a[count++] = (pf_cma_array){ "numbers", es->number, 1, { PF_CMA_NUMBERS } };
    a[count++] = (pf_cma_array){ "mean", es->mean, 1, { n } };
    a[count++] = (pf_cma_array){ "path", es->path, 1, { n } };
    a[count++] = (pf_cma_array){ "path_sigma", es->path_sigma, 1, { n } };
    a[count++] = (pf_cma_array){ "length", es->length, 1, { n } };
    if (!es->c) return count;
    a[count++] = (pf_cma_array){ "covariance", es->c, 2, { n, n } };
    a[count++] = (pf_cma_array){ "axis", es->axis, 2, { n, n } };
    return count;
}

peft_status pf_cma_check(pf_cma *es)
{
    const double iteration = es->number[PF_CMA_ITERATION], decomposed = es->number[PF_CMA_DECOMPOSED];
    for (int i = PF_CMA_ITERATION; i < PF_CMA_NUMBERS; i++)
        if (!(es->number[i] >= 0 && es->number[i] <= UINT32_MAX && es->number[i] == floor(es->number[i])))
            return pf_fail(PEFT_E_FORMAT, "state of CMA-ES: number %d is not a whole number of 32 bits", i);
    es->asked = false;
    PF_TRY(pf_cma_check_sigma(PEFT_E_FORMAT, "state of CMA-ES: ", pf_cma_sigma(es)));
    if (decomposed > iteration)
        return pf_fail(PEFT_E_FORMAT, "state of CMA-ES: the covariance matrix was decomposed after the last iteration");
    const double *vector[] = { es->mean, es->path, es->path_sigma };
    for (int v = 0; v < 3; v++)
        for (int64_t i = 0; i < es->dim; i++)
            if (!isfinite(vector[v][i]))
                return pf_fail(PEFT_E_FORMAT, "state of CMA-ES: an entry of mean or of a path is not finite");
    if (!es->model->valid(es))
        return pf_fail(PEFT_E_FORMAT, "state of CMA-ES: an entry of the covariance is not finite, or a length is not "
                       "positive");
    return PEFT_OK;
}
