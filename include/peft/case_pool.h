/* SPDX-License-Identifier: Apache-2.0
 * peft/case_pool.h -- attention over the slices of a case (a study or volume with several pictures): a small network
 * that reads the features of all slices, weighs them, and predicts the case. It is trained on features that are
 * computed once (peft_session_features); backbone, adapters and head stay as they are.
 *
 * Attention-based multiple-instance pooling of Ilse, Tomczak and Welling (ICML 2018). For the slices h_1 .. h_K of a
 * case, each of length `width`, and w' the transpose of w,
 *     z = sum_k a_k h_k                                                                         (eq. 7)
 *     a_k = exp(w' tanh(V h_k)) / sum_j exp(w' tanh(V h_j))                                     (eq. 8, gated=false)
 *     a_k = exp(w' (tanh(V h_k) * sigm(U h_k))) / sum_j exp(w' (tanh(V h_j) * sigm(U h_j)))     (eq. 9, gated=true)
 *     logits = C z + b
 * with V and U [hidden,width], w [hidden], C [classes,width] and b [classes]; * is elementwise. h_k is the feature with
 * each element shifted and scaled, so that over all slices of the training its mean is 0 and its variance 1. The a_k of
 * a case are above 0 and add up to 1: a weight tells how much the slice counted. All is computed in double.
 *
 * features [slices,width], row-major, and case_of [slices] describe cases: slice i belongs to case case_of[i], 0 to
 * cases - 1; each case has a slice. Slices of a case need not follow each other; their order changes no more than
 * rounding. targets [cases,classes]: with loss=ce a 1 for the class of the case and 0 for the others; with loss=bce 0,
 * 1, or -1 (not judged: not counted).
 *
 * Results have the same bits for any number of threads. A pool is used by one thread at a time. PEFT_E_INVALID: a case
 * without a slice, or a number out of range; PEFT_E_NONFINITE: a feature is NaN or Inf. */
#ifndef PEFT_CASE_POOL_H
#define PEFT_CASE_POOL_H
#include <peft/options.h>
PEFT_BEGIN_DECLS

typedef struct peft_case_pool peft_case_pool;

/* Makes a pool with initial values drawn by "seed" (Glorot, uniform; b is 0). Options, o may be NULL: "hidden" (64),
 * "gated" (true), "loss" (ce: softmax, one label for each case; bce: sigmoids, several), "epochs" (200), "lr" (0.003),
 * "weight_decay" (0.01), "seed" (1), "threads" (0: the context's). peft_case_pool_option lists them; NULL: after the
 * last. */
PEFT_API PEFT_NODISCARD peft_status
peft_case_pool_create(peft_context *ctx, int64_t width, int64_t classes, const peft_options *o, peft_case_pool **out);
PEFT_API void               peft_case_pool_free(peft_case_pool *p);
PEFT_API const peft_option *peft_case_pool_option(size_t i);
/* "width", "classes", "hidden", "gated" and "multi_label" (1 or 0), "parameters" (their number), "epochs" (trained so
 * far). -1: there is no such figure. */
PEFT_API int64_t            peft_case_pool_get(const peft_case_pool *p, const char *name);
/* The parameters, borrowed and writable: V transposed [width,hidden], then with gated=true U transposed, w, C and b. */
PEFT_API double            *peft_case_pool_values(peft_case_pool *p);

/* Called after each epoch; another result than 0 stops fit. */
typedef int (*peft_case_pool_fn)(int64_t epoch, double loss, void *user);
/* Trains from the initial values: finds shift and scale of the features, and makes an update by AdamW on all cases
 * together in each of "epochs" epochs (beta 0.9, 0.999; weight decay of all but b; the rate falls from "lr" to 0 as a
 * cosine). The loss is the mean over cases (ce), or over the targets that were judged (bce). The same arguments give
 * the same bits. progress may be NULL. PEFT_E_CANCELLED: progress stopped it; the values are those of the last update.
 * PEFT_E_NONFINITE: a loss or a parameter becomes NaN or Inf, after the last update too; the pool is as before the
 * call. */
PEFT_API PEFT_NODISCARD peft_status
peft_case_pool_fit(peft_case_pool *p, const float *features, const int64_t *case_of, int64_t slices, int64_t cases,
                   const float *targets, peft_case_pool_fn progress, void *user);
/* The loss with the present values, and its derivative with respect to each parameter (gradient NULL: not computed),
 * for an optimiser of the program's own. shift and scale are those of the last fit; before, 0 and 1.
 * PEFT_E_NONFINITE: a parameter, the loss or a derivative is NaN or Inf, as with parameters of 1e300. */
PEFT_API PEFT_NODISCARD peft_status
peft_case_pool_loss(peft_case_pool *p, const float *features, const int64_t *case_of, int64_t slices, int64_t cases,
                    const float *targets, double *loss, double *gradient);
/* probabilities [cases,classes]: softmax or sigmoids of the logits; weights [slices]: a_k of each slice. Either may be
 * NULL. PEFT_E_NONFINITE: a parameter or a probability is NaN or Inf; what the arrays then hold means nothing. */
PEFT_API PEFT_NODISCARD peft_status
peft_case_pool_predict(peft_case_pool *p, const float *features, const int64_t *case_of, int64_t slices, int64_t cases,
                       double *probabilities, double *weights);

/* Writes the pool with its options and notes to a safetensors file of kind "case_pool", which is replaced as a whole,
 * and reads one. A loaded pool has the same bits. PEFT_E_FORMAT: not such a file, or another extent than the options
 * say. */
PEFT_API PEFT_NODISCARD peft_status peft_case_pool_save(const peft_case_pool *p, const char *path);
PEFT_API PEFT_NODISCARD peft_status peft_case_pool_load(peft_context *ctx, const char *path, peft_case_pool **out);
/* Texts that are stored in the file, such as what model the features are of; as for peft_model_set_note. */
PEFT_API PEFT_NODISCARD peft_status
peft_case_pool_set_note(peft_case_pool *p, const char *key, const char *value);
PEFT_API const char *peft_case_pool_note(const peft_case_pool *p, const char *key);      /* borrowed; NULL: none */

PEFT_END_DECLS
#endif
