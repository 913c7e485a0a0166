/* SPDX-License-Identifier: Apache-2.0
 * slices.c -- checks cases as the caller gives them, and groups their slices (case_pool.h). */
#include <math.h>
#include "core/cases/case_pool.h"

static peft_status check_extents(const char *who, const peft_case_pool *p, const float *features,
                                 const int64_t *case_of, int64_t slices, int64_t cases)
{
    size_t bytes;
    if (!p || !features || !case_of)
        return pf_fail(PEFT_E_INVALID, "%s: %s is NULL", who, !p ? "p" : !features ? "features" : "case_of");
    if (cases < 1 || slices < cases)
        return pf_fail(PEFT_E_INVALID, "%s: given %lld slices of %lld cases, expected at least one case, and a slice "
                       "of each", who, (long long)slices, (long long)cases);
    if (!pf_mul_size((size_t)slices, (size_t)p->shape.width, &bytes) || bytes > PTRDIFF_MAX / sizeof(double))
        return pf_fail(PEFT_E_INVALID, "%s: given %lld slices of width %lld, too many for the memory", who,
                       (long long)slices, (long long)p->shape.width);
    for (int64_t i = 0; i < slices; i++)
        if (case_of[i] < 0 || case_of[i] >= cases)
            return pf_fail(PEFT_E_INVALID, "%s: slice %lld has case %lld, expected 0 to %lld", who, (long long)i,
                           (long long)case_of[i], (long long)cases - 1);
    for (int64_t i = 0; i < slices * p->shape.width; i++)
        if (!isfinite(features[i]))
            return pf_fail(PEFT_E_NONFINITE, "%s: a feature of slice %lld is NaN or Inf", who,
                           (long long)(i / p->shape.width));
    return PEFT_OK;
}

peft_status pf_case_input_make(const char *who, const peft_case_pool *p, const float *features, const int64_t *case_of,
                               int64_t slices, int64_t cases, pf_case_input *in)
{
    PF_TRY(check_extents(who, p, features, case_of, slices, cases));
    const size_t bytes = ((size_t)cases + 1 + (size_t)slices) * sizeof(int64_t);
    *in = (pf_case_input){ .features = features, .slices = slices, .cases = cases };
    in->first = pf_alloc_zero(p->ctx, bytes);
    if (!in->first) return pf_nomem("slices of cases", bytes);
    in->slice = in->first + cases + 1;
    for (int64_t i = 0; i < slices; i++) in->first[case_of[i] + 1]++;
    for (int64_t n = 0; n < cases; n++) {
        const int64_t own = in->first[n + 1];
        if (!own) {
            pf_case_input_free(p, in);
            return pf_fail(PEFT_E_INVALID, "%s: case %lld has no slice, expected one at least", who, (long long)n);
        }
        if (own > in->most) in->most = own;
        in->first[n + 1] += in->first[n];
    }
    for (int64_t i = 0; i < slices; i++) in->slice[in->first[case_of[i]]++] = i;
    for (int64_t n = cases; n > 0; n--) in->first[n] = in->first[n - 1];      /* placing has moved each to its end */
    in->first[0] = 0;
    return PEFT_OK;
}

void pf_case_input_free(const peft_case_pool *p, pf_case_input *in)
{
    pf_free(p->ctx, in->first);
    in->first = in->slice = NULL;
}

peft_status pf_case_input_targets(const char *who, const peft_case_pool *p, const float *targets, pf_case_input *in)
{
    const int64_t classes = p->shape.classes;
    if (!targets) return pf_fail(PEFT_E_INVALID, "%s: targets is NULL", who);
    in->targets = targets;
    in->judged = 0;
    for (int64_t n = 0; n < in->cases; n++) {
        int64_t ones = 0;
        for (int64_t c = 0; c < classes; c++) {
            const float t = targets[n * classes + c];
            if (t != 0 && t != 1 && !(p->shape.multilabel && t == -1))
                return pf_fail(PEFT_E_INVALID, "%s: the target of case %lld, class %lld, is not %s", who, (long long)n,
                               (long long)c, p->shape.multilabel ? "0, 1 or -1" : "0 or 1");
            ones += t == 1;
            in->judged += p->shape.multilabel && t >= 0;
        }
        if (!p->shape.multilabel && ones != 1)
            return pf_fail(PEFT_E_INVALID, "%s: case %lld has %lld classes, expected one (loss=ce)", who, (long long)n,
                           (long long)ones);
        in->judged += !p->shape.multilabel;
    }
    if (!in->judged) return pf_fail(PEFT_E_INVALID, "%s: no target was judged (all are -1)", who);
    return PEFT_OK;
}
