/* SPDX-License-Identifier: Apache-2.0
 * intervals.h -- 95 % confidence intervals of the figures of one class, by patients where they are known. */
#ifndef INTERVALS_H
#define INTERVALS_H
#include <peft/io.h>
#include <peft/peft.h>
#include <stdint.h>

/* Samples and what they are about: n of them; patient [n]: a number for each, NULL: not known. */
typedef struct sample_set { peft_context *ctx; int64_t n; const int64_t *patient; } sample_set;
/* The number of each sample's patient, [count], to be freed; NULL where d knows none. *patients: how many. */
int64_t *number_patients(const peft_dataset *d, int64_t *patients);
/* The share of samples with hit[i] 1 among those with hit[i] 0 or 1 (others, -1, do not count). Interval: Wilson's
 * (1927); with patients the quantiles of bootstrap resamples of patients, or, for a share of 0 or 1, which does not
 * vary among them, Wilson's with as many trials as there are patients. */
peft_estimate share_of_samples(const sample_set *s, const float *hit);
/* A metric of one class (peft_metrics_help: multilabel or ranking) with a bootstrap interval, NaN where all resamples
 * give the same. scores, targets [n]; yes: score >= 0.5. */
peft_estimate bootstrapped(const sample_set *s, const char *metric, const double *scores, const float *targets);
/* The area under the ROC curve with DeLong's interval, by patients that of Obuchowski. */
peft_estimate auroc_of_class(const sample_set *s, const double *scores, const float *targets);
#endif
