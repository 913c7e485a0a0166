/* SPDX-License-Identifier: Apache-2.0
 * analysis.h -- how the features of images lie in space: how well the classes are separated, how many directions are
 * used, and a map of them. Compared before and after tuning, these show what a method does to the features.
 *
 * features [n,width], row-major: a row for each image, of peft_session_features, or one token of a tap. labels [n]: the
 * class of each image, 0 to classes - 1; a class without images does not count. All is computed in double, by the
 * calling thread. Memory is from ctx and freed before the call returns. PEFT_E_INVALID: n is 1, or another extent or
 * label is out of range; PEFT_E_NONFINITE: a feature is NaN or Inf. */
#ifndef PEFT_ANALYSIS_H
#define PEFT_ANALYSIS_H
#include <peft/context.h>
PEFT_BEGIN_DECLS

/* Scatter within and between the classes, by which Zu et al. (Medical Image Analysis 97, 2024, eq. 11) show what
 * prompts do to features. *intra: the sum over images of the squared Euclidean distance to the mean of their class, the
 * trace of the within-class scatter matrix. *inter: the sum over pairs of classes of the squared distance of their
 * means, each pair once. Neither is divided by numbers of images or classes, so compare them between models on the same
 * images, and not with figures of a paper. With m images in each of C classes intra + inter m / C is the scatter around
 * the mean of all. Tuning that separates classes lowers intra or raises inter; as both grow with the square of the
 * features' scale, compare their ratio. Memory: 8 classes (width + 1) bytes.
 * PEFT_E_INVALID: fewer than two classes have images. */
PEFT_API PEFT_NODISCARD peft_status
peft_analysis_scatter(peft_context *ctx, const float *features, const int64_t *labels, int64_t n, int64_t width,
                      int64_t classes, double *intra, double *inter);

/* Silhouette coefficient (Rousseeuw, 1987). That of an image is (b - a) / max(a, b), from -1 to 1, where a is its mean
 * Euclidean distance to the other images of its class, and b the least mean distance to the images of another class; it
 * is 0 for the only image of a class, and if a and b are 0. *mean: over all images. samples [n]: of each image; may be
 * NULL. Memory: 16 classes bytes; time grows with n^2 width. PEFT_E_INVALID: fewer than two classes have images, or
 * each has only one. */
PEFT_API PEFT_NODISCARD peft_status
peft_analysis_silhouette(peft_context *ctx, const float *features, const int64_t *labels, int64_t n, int64_t width,
                         int64_t classes, double *mean, double *samples);

/* Effective rank (Roy and Vetterli, 2007) of the matrix of features as given, without centring: exp of the entropy of
 * the singular values divided by their sum. It is 1 if all features are multiples of one vector, min(n, width) if all
 * singular values are equal, and 0 if all features are 0. Memory: 8 (n width + m^2 + m) bytes with m = min(n, width);
 * time grows with n width m. */
PEFT_API PEFT_NODISCARD peft_status
peft_analysis_effective_rank(peft_context *ctx, const float *features, int64_t n, int64_t width, double *rank);

/* Principal components of the features after their mean is subtracted. projection [n,components]: the coordinates of
 * each image, by descending variance. The sign of a component, which is arbitrary, is such that its coordinate of
 * largest magnitude (the first of those that equal it up to rounding) is positive. share [components]: of the total
 * variance, 0 to 1; may be NULL. A component without variance, up to rounding, has coordinates and share 0.
 * 1 <= components <= min(n, width). Memory: 8 (n width + m^2 + m + width) bytes with m = min(n, width); time grows with
 * n width m. */
PEFT_API PEFT_NODISCARD peft_status
peft_analysis_pca(peft_context *ctx, const float *features, int64_t n, int64_t width, int64_t components,
                  double *projection, double *share);

PEFT_END_DECLS
#endif
