/* SPDX-License-Identifier: Apache-2.0
 * peft/federated.h -- federated training: joins the model or adapter files that several sites have trained from the
 * same start into the next global file, without a backbone and without images. docs/federated.md has the equations.
 *
 * A file holds the adapters' tensors and those of the head; the values of all tensors but those that an option below
 * names are averaged element by element, sum_k weight_k x_k / sum_k weight_k, in double and in the order of the calls,
 * and rounded once to f32 (FedAvg, McMahan et al., AISTATS 2017). The running statistics of a head's batch norm become
 * those of the sites' features together: the weighted mean, and the variance within the sites plus that between them.
 * Tensors that are not trained (vera's random matrices) must be the same in all files. */
#ifndef PEFT_FEDERATED_H
#define PEFT_FEDERATED_H
#include <peft/adapter.h>
PEFT_BEGIN_DECLS

/* One thread uses an object at a time. It is for one round: make a new one for the next. */
typedef struct peft_aggregator peft_aggregator;
/* Options, o may be NULL:
 * "lora": the rule for pairs of LoRA factors, whose update of a weight is s B A with s = alpha / r. factors: the mean
 *   of A and of B, which is not the mean of the updates; product: the matrices of rank r that are nearest to the mean
 *   of the updates (its singular value decomposition, cut off at r); stack: exactly the mean of the updates, as
 *   matrices of the rank r times the number of sites, which the result's options r and alpha state.
 * "ept": the rule for the prompts p [layers, tokens, length] of ept, which act through z = log sum_j exp(p_j) alone.
 *   values: the mean of p; logits: z is the mean of the sites' z; mass: exp(z) is the mean of the sites' exp(z).
 * "clip_norm": the change of a site's trained values, all tensors together, is shortened to this L2 norm (0: never).
 * "noise": to the sum of the changes Gaussian noise is added, of the standard deviation noise * clip_norm on each
 *   value; each site counts the same then, whatever its weight (peft_dp_epsilon; docs/federated.md says what it does
 *   not protect). "sites": the number of sites that a round has on average, by which the noisy sum is divided; 0: the
 *   number that were added. "seed": of the noise; 0: of the system's random numbers. Use each seed once.
 * PEFT_E_OPTION: no such option or value, or one that has no effect. */
PEFT_API PEFT_NODISCARD peft_status
peft_aggregator_create(peft_context *ctx, const peft_options *o, peft_aggregator **out);
PEFT_API void peft_aggregator_free(peft_aggregator *a);
PEFT_API const peft_option *peft_aggregator_option(size_t i);                  /* options.h; NULL: after the last */

/* The global file that the sites began the round with. Without it the sites are compared with the first of them, and
 * peft_aggregator_update is NaN. Its metadata and notes become those of the result, but for the thresholds and sets of
 * finetune ("decision", "conformal"), which hold for its values alone. The second function takes the bytes
 * of a file, which are copied. PEFT_E_STATE: it is set already, or a site was added. PEFT_E_FORMAT: not a file of an
 * adapter or model. PEFT_E_DTYPE: a tensor is not f32, f16, bf16 or f64. PEFT_E_NONFINITE: a tensor holds NaN or Inf.
 * PEFT_E_UNSUPPORTED: a rule that the options name does not suit the file, such as lora=product with DoRA, or noise
 * with batch norm. */
PEFT_API PEFT_NODISCARD peft_status peft_aggregator_start(peft_aggregator *a, const char *path);
PEFT_API PEFT_NODISCARD peft_status peft_aggregator_start_bytes(peft_aggregator *a, const void *data, size_t size);
/* Adds the file of a site. weight: the number of its training images, more than 0 (PEFT_E_INVALID). After an error
 * nothing was added, and the round can go on. PEFT_E_MISMATCH names what differs from the start, or else from the first
 * site, and both values: the fingerprint of the backbone, image size, methods, options, tensors or their extents, the
 * notes "class_names", "preprocess" or "link". PEFT_E_FORMAT, PEFT_E_DTYPE, PEFT_E_NONFINITE: as above. PEFT_E_STATE:
 * clip_norm without a start, or the round was written with noise. The second function takes the bytes of a file; name
 * stands for its path in messages and may be NULL. */
PEFT_API PEFT_NODISCARD peft_status peft_aggregator_add(peft_aggregator *a, const char *path, double weight);
PEFT_API PEFT_NODISCARD peft_status
peft_aggregator_add_bytes(peft_aggregator *a, const void *data, size_t size, const char *name, double weight);
/* Writes the next global file atomically (peft_write_file). Sites can be added after it, but not with noise: two
 * results with the same noise would reveal the site (PEFT_E_STATE of peft_aggregator_add). The second function gives
 * the bytes of the same file in memory; they are borrowed from a until its next peft_aggregator_write, _bytes or
 * _free. PEFT_E_STATE: no site was added. PEFT_E_NONFINITE: a mean is too large for f32. */
PEFT_API PEFT_NODISCARD peft_status peft_aggregator_write(peft_aggregator *a, const char *path);
PEFT_API PEFT_NODISCARD peft_status peft_aggregator_bytes(peft_aggregator *a, const void **data, size_t *size);

/* The epsilon of (epsilon, delta)-differential privacy of `rounds` rounds with this noise, in which each site takes
 * part at random with probability rate (1: all sites always); INFINITY if there is none. Neighbouring federations
 * differ by one site, with all its images, that is added or removed; to replace a site counts as both. With rate below
 * 1, or where the number of sites is secret, give the aggregator's option "sites". Renyi differential privacy of the
 * sampled Gaussian mechanism at integer orders (Mironov, CSF 2017; Mironov, Talwar and Zhang, arXiv 1908.10530),
 * converted by Canonne, Kamath and Steinke (NeurIPS 2020). PEFT_E_INVALID: a number is out of its range. */
PEFT_API PEFT_NODISCARD peft_status
peft_dp_epsilon(double noise, double rate, int64_t rounds, double delta, double *epsilon);

/* --- figures of the round, of the sites that were added so far ---------------------------------------------------- */
/* Noise protects none of them: do not publish them where it is used. */
PEFT_API size_t peft_aggregator_sites(const peft_aggregator *a);               /* 0 for NULL */
PEFT_API double peft_aggregator_weight(const peft_aggregator *a);              /* their sum; with noise each is 1 */
PEFT_API size_t peft_aggregator_received(const peft_aggregator *a);            /* bytes of the sites' tensors */
PEFT_API size_t peft_aggregator_clipped(const peft_aggregator *a);             /* sites whose change was shortened */
/* The root of the weighted mean of the squared L2 distances between the sites' values and their weighted mean, over all
 * tensors that are averaged: 0 if the sites agree (and nothing was clipped). NaN without a site. */
PEFT_API double peft_aggregator_drift(const peft_aggregator *a);
/* The L2 norm of the weighted mean of the sites' values less those of the start. NaN without a start or a site. */
PEFT_API double peft_aggregator_update(const peft_aggregator *a);

PEFT_END_DECLS
#endif
