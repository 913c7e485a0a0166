/* SPDX-License-Identifier: Apache-2.0
 * probe.h -- cheap classifiers on features that stay as they are: k nearest neighbours, class means (prototypes) and
 * logistic regression. They are the baselines of papers on pretrained models: what a method adds is what it gains over
 * the best of them. Fitting takes seconds, and there is no learning rate to choose.
 *
 * features [n,width], row-major: a row for each sample, of peft_session_features. Either labels [n], classes 0 to
 * classes - 1, or targets [n,classes], of several labels a sample: 1, 0, or -1 (not judged), is given; the other is
 * NULL. All is computed in double by the calling thread, and the results do not depend on how samples are divided among
 * calls of peft_probe_scores. Memory is from ctx. */
#ifndef PEFT_PROBE_H
#define PEFT_PROBE_H
#include <peft/options.h>
PEFT_BEGIN_DECLS

typedef struct peft_probe peft_probe;

/* Row i of the options of peft_probe_fit (options.h); NULL: after the last.
 *   kind            knn, prototypes or logistic
 *   standardize     true: subtract the mean of each feature over the training samples, and divide by its standard
 *                   deviation (that of all n; a constant feature becomes 0)
 *   distance        knn and prototypes: similarity is the cosine, or minus the squared Euclidean distance. The cosine
 *                   with a vector of zeros is 0
 *   temperature     knn with weights=exp, and prototypes; 0: 0.07 for cosine, 1 for euclidean
 *   k               knn: number of neighbours. PEFT_E_OPTION if it is above n
 *   weights         knn: votes are equal (uniform), or exp(similarity / temperature) (exp)
 *   C               logistic: inverse strength of the L2 penalty, as in scikit-learn
 *   class_weight    logistic: balanced: each class (of several labels: presence and absence of each) has the same
 *                   weight in sum, as in scikit-learn
 *   max_iterations, tolerance   logistic: see below
 * An option that the kind does not read is PEFT_E_OPTION, unless it is given its default. */
PEFT_API const peft_option *peft_probe_option(size_t i);

/* Fits a probe. A class without a training sample gets probability 0; of several labels, one that all judged samples
 * have gets 1, and one that none has 0.
 *
 * knn: stores the features. The k most similar training samples vote for their classes, of equally similar ones those
 * of lower index; not judged targets do not vote, and where none of the k is judged, the share of the label in all
 * training samples is the score. weights=exp is the evaluation of DINO (Caron et al., ICCV 2021, after Wu et al., 2018:
 * k=20, temperature=0.07). Memory: 8 n width bytes; time of n width products for each sample that is scored.
 *
 * prototypes: softmax of similarity / temperature to the mean of each class (Snell et al., NeurIPS 2017: euclidean,
 * temperature 1); for cosine, means of vectors of length 1. Of several labels: to the means of the samples with and
 * without the label.
 *
 * logistic: minimises sum of s loss + |W|^2 / (2 C), where the intercepts are not in W and s is the sample's weight, by
 * L-BFGS (Liu and Nocedal, 1989) with a line search for the strong Wolfe conditions. The loss is that of the softmax of
 * all classes, of two classes and of several labels that of the sigmoid of each (one against the rest). It stops when
 * each element of the gradient of this sum, divided by the sum of s, is at most tolerance times the root mean square of
 * its feature (exactly: sqrt(mean of s x^2 + 1 / (C sum of s)); 1 for an intercept). PEFT_E_OPTION: that is not reached
 * in max_iterations, or rounding errors prevent it; the message has the gradient that was reached. If classes can be
 * separated and C is so large that tolerance alone bounds the weights, the context's log has a warning. Memory while it
 * runs: 8 n width + 216 classes width bytes.
 *
 * *out is the caller's, and has a reference to ctx. PEFT_E_INVALID: n, width or classes is below 1; a label or target
 * is out of range; both or none of labels and targets are given; a column of targets has no judged sample.
 * PEFT_E_NONFINITE: a feature is NaN or Inf. */
PEFT_API PEFT_NODISCARD peft_status
peft_probe_fit(peft_context *ctx, const float *features, const int64_t *labels, const float *targets, int64_t n,
               int64_t width, int64_t classes, const peft_options *options, peft_probe **out);
PEFT_API void peft_probe_free(peft_probe *p);

/* scores [n,classes]: probabilities of features [n,width], with the sum 1 for each sample, or of several labels one for
 * each. Several threads may score with one probe. PEFT_E_NONFINITE: a feature is NaN or Inf. */
PEFT_API PEFT_NODISCARD peft_status
peft_probe_scores(const peft_probe *p, const float *features, int64_t n, double *scores);

/* The classifier of kind logistic: weights [classes,width] and intercepts [classes], for features as they are given,
 * also with standardize. softmax (of several labels: sigmoid) of features weights^T + intercepts are the scores. Of two
 * classes that of the first is 0. The intercept is -Inf (+Inf) for what has probability 0 (1). PEFT_E_UNSUPPORTED: of
 * another kind. */
PEFT_API PEFT_NODISCARD peft_status peft_probe_weights(const peft_probe *p, double *weights, double *intercepts);

/* A figure by name: "classes", "width", "samples" (for training); of logistic: "iterations", "gradient" (the largest
 * element at the end, relative to its feature), "loss" (the minimised sum, divided by the sum of s), of several labels
 * the largest iterations and gradient, and the mean loss. NaN: there is no such figure. */
PEFT_API double peft_probe_get(const peft_probe *p, const char *name);

PEFT_END_DECLS
#endif
