/* SPDX-License-Identifier: Apache-2.0
 * metrics_values.c -- means of values that the caller has, such as the Dice of each case and class, without NaN. */
#include <math.h>
#include "core/metrics/metrics.h"

void pf_metric_means(const double *x, const double *others, const int64_t *index, int64_t m, int64_t classes,
                     bool macro, double *out)
{
    double of_means = 0;
    int64_t defined = 0;
    for (int64_t c = 0; c < classes; c++) {
        double sum = 0;
        int64_t n = 0;
        for (int64_t i = 0; i < m; i++) {
            const int64_t at = (index ? index[i] : i) * classes + c;
            if (isnan(x[at]) || (others && isnan(others[at]))) continue;
            sum += x[at];
            n++;
        }
        const double mean = n ? sum / (double)n : NAN;
        if (!macro) out[c] = mean;
        if (n) of_means += mean;
        defined += n > 0;
    }
    if (macro) *out = defined ? of_means / (double)defined : NAN;
}

peft_status peft_metrics_values(const double *values, int64_t n, int64_t classes, const char *name, double *out,
                                size_t count)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_metrics_values";
    pf_metric m;
    if (!values) return pf_metric_null(who, "values");
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_find(who, PF_FAMILY_VALUES, name, classes, out, count, &m));
    pf_metric_means(values, NULL, NULL, n, classes, m == PF_METRIC_mean_macro, out);
    return PEFT_OK;
}
