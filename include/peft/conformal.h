/* SPDX-License-Identifier: Apache-2.0
 * conformal.h -- prediction sets: for each sample the classes that cannot be excluded, so that the set holds the true
 * class with a stated probability whatever the model is (split conformal prediction; Vovk et al., Algorithmic Learning
 * in a Random World, 2005; Angelopoulos and Bates, arXiv 2107.07511).
 *
 * The statement: if calibration samples and new ones are exchangeable (drawn in the same way, none trained on, one
 * image for each patient), the probability that the set of a new sample holds its class is at least 1 - alpha. It is a
 * mean over samples, and over classes too unless by_class is set. It fails where new samples come from another clinic
 * or scanner.
 *
 * probabilities [n,classes]: rows of sum 1, each sample with one label. Of several labels a sample (multi-label) take
 * each label as two classes, with rows (1 - p, p): the statement then holds for each label, not for all at once. */
#ifndef PEFT_CONFORMAL_H
#define PEFT_CONFORMAL_H
#include <peft/options.h>
PEFT_BEGIN_DECLS

/* Row i of the options of both functions (options.h), which have to be the same in both; NULL: after the last.
 *   score        lac: 1 - probability of the class, the smallest sets on average (Sadinle et al., 2019); aps: the sum
 *                of the probabilities down to that of the class, more even over easy and hard samples (Romano et al.,
 *                2020)
 *   randomized   true: aps takes a random share of the class's own probability, so that coverage is 1 - alpha and not
 *                more; false: all of it
 *   by_class     true: a quantile for each class, so that the statement holds for the samples of each class (Mondrian)
 *   allow_empty  true: a set may be empty; false: it then gets the class of largest probability, which only adds to
 *                coverage
 *   seed         of randomized */
PEFT_API const peft_option *peft_conformal_option(size_t i);

/* quantiles [classes], all equal unless by_class is set: of the scores of the labels' classes the one of rank
 * ceil((n + 1)(1 - alpha)), where n counts the samples, or those of the class. PEFT_E_INVALID: alpha is not between
 * 1e-9 and 1; a row does not have the sum 1 (up to 0.001); n is too small for alpha (the rank is larger than n): the
 * message names the least n. */
PEFT_API PEFT_NODISCARD peft_status
peft_conformal_fit(peft_context *ctx, const double *probabilities, const int64_t *labels, int64_t n, int64_t classes,
                   double alpha, const peft_options *options, double *quantiles);

/* sets [n,classes]: 1 if the class belongs to the set of the sample, else 0: if its score is at most its quantile.
 * first: the index of row 0 among all samples, which selects its random numbers (randomized): calls for consecutive
 * parts of the samples give the sets that one call for all gives. PEFT_E_INVALID: first is below 0; a quantile is
 * NaN; a row does not have the sum 1. */
PEFT_API PEFT_NODISCARD peft_status
peft_conformal_sets(peft_context *ctx, const double *probabilities, int64_t n, int64_t classes,
                    const double *quantiles, int64_t first, const peft_options *options, uint8_t *sets);

PEFT_END_DECLS
#endif
