/* SPDX-License-Identifier: Apache-2.0
 * peft/session.h -- sessions: a model compiled for inference, in memory that is allocated once, when the session is
 * made.
 *
 * Threads. A session, and likewise a trainer, is used by one thread at a time. Different ones may be used by several
 * threads at once, also those of one model, and of models that share adapters. Every model and every adapter has a
 * reader-writer lock in the library, so that no call reads values while another changes them: predictions and files
 * have the parameters after one whole update, never a part of the next. Calls that read run at the same time; a call
 * that changes values waits for those before it, and those after it wait for it.
 *
 *     call                                                    of the model itself   of its adapters
 *     peft_session_predict, peft_session_probabilities        reads                 reads
 *     peft_adaptor_predict, _source, _reset, _save, _restore  reads                 reads
 *     peft_adaptor_store_source                               changes               reads
 *     peft_model_save, peft_model_save_hf, peft_model_merge   reads                 reads
 *     peft_adapter_save, peft_adapter_save_hf                 -                     reads (that adapter)
 *     peft_trainer_update, as a part of step and fit too      changes               changes
 *     peft_trainer_create, _restore, _free                    changes (briefly)     changes (briefly)
 *     peft_trainer_step, _backward, _forward until update     changes (batch norm)  -
 *     peft_model_attach, _detach, _set_note                   changes               -
 *     peft_session_create, _free, peft_model_free             -                     -
 *
 * "batch norm": if the head has one, whose running statistics the forward pass changes; with other heads a pass takes
 * no lock. PEFT_E_STATE: a second trainer of a parameter, also through another model that has the adapter; attach and
 * detach while a trainer or session of the model exists.
 *
 * No lock is held while a batch or progress callback, a reducer or a loss function runs: these may predict and save
 * models. A log function and an allocator may be called under a lock, and must not call the library.
 *
 * The locks cannot protect what is read or written through a pointer that the library handed out: peft_param_value,
 * peft_param_grad, peft_model_find_buffer, peft_adapter_find_buffer, peft_model_note. The application must ensure that
 * no call that changes the same values runs at that time, and, while it writes, none that reads them. Between two calls
 * of the trainer in the trainer's thread (also in a callback of it) reading is safe.
 *
 * After a fork, the child must not use models and adapters that another thread of the parent was using then: that
 * thread's locks stay held in the child. It can use those that it makes itself. */
#ifndef PEFT_SESSION_H
#define PEFT_SESSION_H
#include <peft/adapter.h>
PEFT_BEGIN_DECLS

typedef struct peft_session peft_session;
/* Makes a session. Options, o may be NULL: "batch" (largest number of images in a call; 1), "taps" (intermediate values
 * to keep, "embed", "block.N", "sink_mass.N", "feature": a list "[block.0,feature]", or as the text of a string option
 * also "block.0,feature"), "threads" (0: the context's), "executor" (planned, naive), "memory_limit" (bytes that the
 * compiled graph may take, arena and scratch; 0: no limit), "compute" (f32, bf16x3, bf16, int8, int8_all). Each call
 * uses the current values of the model's parameters, also while a trainer changes them. PEFT_E_UNSUPPORTED: the graph
 * needs more than memory_limit; the message has both numbers.
 *
 * "compute" is the arithmetic of matrix products, those of linear layers and of attention, also of a trainer and an
 * adaptor. bf16: each factor is rounded to bf16 (8 bits of significand, to nearest), a product of two is exact, sums
 * are f32. bf16x3: a factor is the sum of two bf16, 16 bits. int8 (sessions and adaptors): in products with frozen
 * weights of the blocks of 384 rows and columns or more, rows of both factors are rounded to whole numbers of -127 ..
 * 127 with a scale each (docs/arithmetic.md); smaller matrices are multiplied in bf16 on a CPU with AVX512_BF16, in f32
 * on others; attention is as in bf16, other products are f32. int8_all: int8 for matrices of all sizes, which moves the
 * logits of a narrow network further. In bf16x3 attention is f32. Everything else stays f32: softmax, norms,
 * activations, the residual stream, parameters and their gradients, moments, losses. bf16 is faster on a CPU with
 * AVX512_BF16, int8 on one with AVX512_VNNI, and not on others. Results do not depend on threads, batch and executor in
 * any arithmetic, but bits are the same only on CPUs with the same instructions. */
PEFT_API PEFT_NODISCARD peft_status
peft_session_create(peft_model *m, const peft_options *o, peft_session **out);
PEFT_API void peft_session_free(peft_session *s);
PEFT_API peft_model *peft_session_model(const peft_session *s);                /* borrowed; NULL for NULL */
PEFT_API int64_t     peft_session_batch(const peft_session *s);                /* option batch; 0 for NULL */
PEFT_API const peft_option *peft_session_option(size_t i);                     /* see options.h; NULL: after the last */
/* images [n,3,H,W] f32, 1 <= n <= batch, H and W the backbone's "image_height" and "image_width": a plane of red, one
 * of green, one of blue, each row by row from the top, normalised as the note "preprocess" of the backbone or model
 * says. logits f32 [n,classes], or [n,h,w,classes] with a head that predicts a map, of patches or of pixels of the
 * input, line by line from the top (peft_model_output). The results do not depend on n, on option batch, or on the
 * number of threads (with the library's own matrix products; with CBLAS they may). PEFT_E_NONFINITE: a logit is NaN or
 * Inf; the message names the first image that has one. logits then holds the results all the same, which are right for
 * images whose logits are all finite. PEFT_E_UNSUPPORTED: the model has no head (head=none). */
PEFT_API PEFT_NODISCARD peft_status
peft_session_predict(peft_session *s, const peft_tensor *images, peft_tensor *logits);
/* Class probabilities in place of logits: softmax, or the sigmoid of each class when multi_label is not 0. Fails as
 * peft_session_predict does. */
PEFT_API PEFT_NODISCARD peft_status
peft_session_probabilities(peft_session *s, const peft_tensor *images, int multi_label, peft_tensor *probabilities);
/* The pooled feature of each image, f32 [n,width] (peft_model_feature_width): what the head reads, such as the class
 * token or the mean of the patches (the model's "pool"), after the final norm, with the model's adapters. It equals the
 * tap "feature". The model may have a head or none (head=none). Fails as peft_session_predict does, with
 * PEFT_E_NONFINITE if a feature is NaN or Inf. PEFT_E_UNSUPPORTED: the model has no pooled feature (a head of maps; a
 * method with a network of its own, fpt). */
PEFT_API PEFT_NODISCARD peft_status
peft_session_features(peft_session *s, const peft_tensor *images, peft_tensor *features);
/* A further input of the next predictions, copied: see peft_trainer_input. */
PEFT_API PEFT_NODISCARD peft_status
peft_session_input(peft_session *s, const char *name, const peft_tensor *value);
/* The value of a tap at the end of the last prediction, f32 [batch, ..] with "batch" of the session; of a call with n
 * images the first n are valid. "embed": [batch, tokens, width], the tokens that enter block 0, with class token,
 * registers and positions. "block.N": [batch, tokens, width], the residual stream that leaves block N, counted from 0.
 * tokens is that of peft_backbone_get, plus those that an adapter adds (vpt). "feature": what the head reads, after the
 * final norm: [batch, 1, width], or [batch, h*w, width], the patches row by row, with a head of maps; not with
 * head=seg_mla, which reads the patches of several "block.N". "sink_mass.N":
 * [batch, tokens], of each query token the share of its attention in block N that sink logits take (ept: the prompts),
 * mean over heads: exp(z - lse), where z is the sink and lse the logsumexp of all logits of the row, z among them. In
 * each head the sink scales the output of attention by 1 minus its share. Only of blocks with sinks, and not where a
 * method computes attention step by step (ept with insert=multiply_concat). Borrowed: the pointer stays
 * valid as long as s, and the next call on s overwrites the values. NULL, with peft_last_error set: s was made without
 * this tap, or has predicted nothing yet. */
PEFT_API const peft_tensor *peft_session_tap(peft_session *s, const char *tap);
PEFT_API size_t peft_session_memory(const peft_session *s);                    /* bytes of all memory that s uses */
/* A function that gets a text line by line, without line ends. */
typedef void (*peft_text_fn)(const char *line, void *user);
/* What a prediction computes: fn gets a line with batch, threads and kernels, one with the names of the columns, a line
 * for each operation (its tensors, shapes, kernel, FLOPs, bytes, and why no better kernel is used) and one with totals.
 * With log level 3 of the context the same lines of operations are logged while they run, with their times behind them
 * (peft_context_set_log). docs/verbose.md explains the columns; their number and widths may change. */
PEFT_API void peft_session_describe(const peft_session *s, peft_text_fn fn, void *user);

/* How far rounding makes a merged backbone differ from the model it was merged from: both predict images [n,3,H,W]
 * (NULL: four of normal noise from the context's seed). absolute: the largest difference of two logits; relative: that
 * divided by the model's largest logit; both are Inf if a logit of either network is NaN or Inf. For a model with
 * head=none the features take the place of the logits. absolute and relative may be NULL. To include the rounding of
 * peft_backbone_save_as with "dtype", give the backbone that was loaded from that file.
 * PEFT_E_MISMATCH: image side or classes differ; with head=none, image side or width of the
 * features. */
PEFT_API PEFT_NODISCARD peft_status
peft_model_merge_drift(peft_model *m, peft_backbone *merged, const peft_tensor *images, double *absolute,
                       double *relative);

PEFT_END_DECLS
#endif
