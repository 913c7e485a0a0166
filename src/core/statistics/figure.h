/* SPDX-License-Identifier: Apache-2.0
 * figure.h -- a metric, or its difference between two sets of scores, of any selection of samples; the options of
 * resampling. */
#ifndef PF_FIGURE_H
#define PF_FIGURE_H
#include "core/options/options.h"
#include "core/statistics/statistics.h"

/* What is computed of each selection. The buffers hold the selected samples and grow as needed. */
typedef struct pf_figure {
    const char *who;
    peft_context *ctx;
    const peft_samples *s;
    const char *metric;
    size_t count;                        /* values of the metric */
    unsigned needs;                      /* bits: PF_POSITIVE, PF_NEGATIVE: samples of a class that its value needs;
                                          * PF_TWO_CLASSES: samples of two classes, whichever */
    bool per_class, over_classes;        /* it has a value for each class; it is a mean over classes */
    pf_metric_family family;
    bool *complete;                      /* [classes]: all samples together have what the class needs */
    double *values;                      /* [2, count]: of scores, and of others */
    int64_t room, *labels, *predicted, *confusion, *present; /* room: samples; present [2, classes]: negatives and
                                                              * positives in the selection */
    double *scores;
    float *targets;
} pf_figure;
enum { PF_POSITIVE = 1, PF_NEGATIVE = 2, PF_TWO_CLASSES = 4 };

/* Checks all arguments and prepares for pf_figure_of. The caller calls pf_figure_free, also after a failure. */
peft_status pf_figure_make(pf_figure *f, const char *who, peft_context *ctx, const peft_samples *s, const char *metric,
                           size_t count);
void        pf_figure_free(pf_figure *f);
/* Computes the values [count] of the samples index [m], which may repeat (NULL: of all n). scores, others: those of s,
 * or others of the same shape; others NULL: no difference. NaN: undefined (peft_statistics_bootstrap). */
peft_status pf_figure_of(pf_figure *f, const double *scores, const double *others, const int64_t *index, int64_t m,
                         double *values);

extern const pf_opt pf_statistics_options[];
#endif
