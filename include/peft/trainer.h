/* SPDX-License-Identifier: Apache-2.0
 * peft/trainer.h -- trainers: a model compiled for training, with its optimiser. All memory is allocated when the
 * trainer is made; steps, of any batch size, allocate nothing. One thread uses a trainer at a time; session.h lists the
 * calls that other threads may make meanwhile. */
#ifndef PEFT_TRAINER_H
#define PEFT_TRAINER_H
#include <peft/session.h>
PEFT_BEGIN_DECLS

typedef struct peft_trainer peft_trainer;
/* A progress callback: called after each optimiser step of fit; another result than 0 stops fit. The trainer can then
 * be saved, or fit called again. fit returns the status and message of the last libpeft function that failed in the
 * callback, or what the callback gave to peft_set_error, else PEFT_E_CANCELLED. The callback may call any function of t
 * but peft_trainer_fit (PEFT_E_STATE) and peft_trainer_free: peft_trainer_set_lr, for a schedule of the program's own,
 * peft_trainer_freeze, peft_trainer_evaluate, peft_trainer_save. */
typedef int (*peft_progress_fn)(peft_trainer *t, void *user);
/* A batch callback: writes batch number `batch` of an epoch (both counted from 0) to images [batch,3,H,W] and labels,
 * and returns its number of samples. 0 ends the epoch; < 0 stops fit with a status as for peft_progress_fn. As the
 * trainer asks for batches by number, a restored run gets the same batches as a run without a break. sample_ids [batch]
 * may be left as they are unless features are cached. The tensors are the trainer's, which reuses their memory after
 * the callback returns. */
typedef int64_t (*peft_batch_fn)(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels,
                                 int64_t *sample_ids, void *user);

/* Makes a trainer. Options, o may be NULL (peft_trainer_option lists types, defaults and help): "batch"; "samples" (of
 * an epoch, if known: a last batch that cannot be trained on, such as one sample with batch norm, is then refused
 * here); "loss" (listed in the option's help) and options of losses: numbers such as "label_smoothing", lists of one
 * number for each class such as "class_weights" and "pos_weight" ("1,2.5,.."), "weight_reduction" (auto, weights,
 * batch), "ignore_index" (the label of samples or pixels that the loss leaves out; none: a label that is no class is an
 * error); "optimizer" (adamw, sgd), "lr", "weight_decay", "decay_on" (all, matrices), "beta1", "beta2", "eps",
 * "momentum", "nesterov"; "extrapolate" (none, gradient, noise, momentum) and "extrapolate_lr": with sgd, gradients are
 * computed at other values than those that are updated (docs/optimisers.md). Between calls the model holds the updated
 * values; during a pass, and between peft_trainer_forward and peft_trainer_backward_logits, it holds the moved ones;
 * "proximal" (mu: adds mu (w - w0) to the mean gradient, before the norm and clipping, where w0 are the values
 * when the trainer was made or warm started; peft_param_grad then has that term too); "clip_norm" (0: off);
 * "accumulate" (backward passes for each update); "schedule" (constant, cosine, linear, warmup_cosine, warmup_linear,
 * warmup_cosine_full_period, step), "steps" (its length in updates), "warmup", "start_lr", "min_lr", "decay_every",
 * "decay", "steps_per_epoch" (> 0: the rate changes with the epoch, not with each step); "cache_features",
 * "cache_file", "cache_type" (below); "threads", "executor"; "memory_limit" (bytes that each compiled graph may take,
 * arena and scratch; 0: no limit. A step that needs more computes values of the forward pass again in the backward pass
 * instead of keeping them: it takes longer, with the same bits. A limit below what this reaches is PEFT_E_UNSUPPORTED;
 * the message has the least), "compute" (f32, bf16x3, bf16: session.h; a state is continued in its own arithmetic);
 * "keep" (type in which a step keeps values of the forward pass for its backward pass: f32; bf16, half the memory;
 * auto, which is bf16 for compute=bf16, else f32. With bf16 the forward pass has the same bits, and the backward pass
 * reads inputs and outputs of operations rounded to bf16: gradients change by up to 1 %, docs/arithmetic.md. A state is
 * continued with its own type).
 *
 * An option that the chosen loss, optimiser or schedule does not read (momentum with adamw) is PEFT_E_OPTION, unless it
 * is given its default. Weighted means are torch's by default: ce and focal are divided by the sum of the labels'
 * weights, soft_ce by the batch. "class_weights" multiply both terms of bce, "pos_weight" the positive term alone.
 *
 * The feature cache. The operations before the first trained value (the frozen prefix) give the same values, called
 * features, each time that a sample is used. With "cache_features" > 0 they are computed one sample at a time and
 * stored by sample id, until that many bytes are used: in memory, or in the file named by "cache_file" (its header and
 * 32 to 95 bytes a sample included; the index of ids takes up to 48 bytes of memory a sample more). Results have the
 * same bits with and without a cache, unless "cache_type" is f16: then all features are rounded to half precision, also
 * those that did not fit into the cache, so that results do not depend on its content. A sample with NaN, Inf or a
 * value beyond the range of f16 is not stored. The caller must ensure that an id always means the same image, prepared
 * in the same way. A file can be used by one trainer at a time (PEFT_E_STATE), and only with the same frozen prefix:
 * its operations, weights and extents, which depend on backbone, layers, method options and resolution, and the same
 * kernels, because they round differently (PEFT_E_MISMATCH names both). Heads, batch sizes and trained parts may
 * differ. Samples that a killed process or damage left unusable are computed again. If the file cannot be written any
 * more, training goes on and the context's log has a warning. */
PEFT_API PEFT_NODISCARD peft_status peft_trainer_create(peft_model *m, const peft_options *o, peft_trainer **out);
PEFT_API void peft_trainer_free(peft_trainer *t);
PEFT_API const peft_option *peft_trainer_option(size_t i);                     /* see options.h; NULL: after the last */
/* Parameters whose name matches pattern (* and ?) get lr * lr_scale and this weight decay; the last call counts. The
 * pattern "group:head" stands for all parameters with that peft_param_group. PEFT_E_NOTFOUND: nothing matches. */
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_group(peft_trainer *t, const char *pattern, double lr_scale, double weight_decay);
/* frozen not 0: from the next update on, parameters that match (pattern as above) keep their values and moments, do not
 * decay, and are left out of the gradient norm; 0: they are trained again. The last call counts. To train the head
 * alone at first: freeze "*" by 1, then "group:head" by 0, and after some updates "*" by 0. AdamW's bias correction
 * counts only the updates of the parameter itself. The gradients of frozen parameters are still computed and given to
 * the reducer, so that a step is not faster. May be called between any two updates. The training state includes it:
 * restore freezes the parameters that were frozen when it was saved. */
PEFT_API PEFT_NODISCARD peft_status peft_trainer_freeze(peft_trainer *t, const char *pattern, int frozen);
/* The base learning rate from the next update on, in place of the option "lr": a schedule goes on as if it had been
 * made with this "lr" (constant: the rate itself; step: lr * decay^k; a cosine or line falls from lr to "min_lr", which
 * does not change). peft_trainer_group's factor multiplies it. The training state includes it: restore sets the rate
 * of the saved run; only the option "lr" must be equal. PEFT_E_INVALID: lr is below 0 (below min_lr, if
 * the schedule falls to it) or above 1e6. */
PEFT_API PEFT_NODISCARD peft_status peft_trainer_set_lr(peft_trainer *t, double lr);

/* One training step: forward, loss, backward, clip, update. images [n,3,H,W] f32, red, green and blue planes as for
 * peft_session_predict, n <= batch; labels [n] i64 for ce, focal, dice and ce_dice, else [n,classes] f32 (for a model
 * whose output is a map [n,h,w] i64 and [n,h,w,classes] f32, see peft_model_output; a mean is then over all n * h * w,
 * and the Dice losses are defined in docs/segmentation.md): for soft_ce probabilities that add up to 1, for the others
 * 0 to 1, or -1 for a class that was not judged, which has no loss and is not counted in the mean. A batch without a
 * label that counts (all of weight 0, ignored, or not judged) changes nothing. sample_ids [n] or NULL (or -1: a sample
 * without an id). images may be NULL when the cache has all sample_ids; PEFT_E_NOTFOUND names the first that is
 * missing. PEFT_E_NONFINITE: an image (named), the loss or the gradients hold NaN or Inf; nothing was updated, and
 * passes since the last update are dropped. Also PEFT_E_NONFINITE: the update itself made NaN or Inf, which the message
 * says; restore an earlier state then. */
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_step(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels, const int64_t *sample_ids);
/* Sets an input of the next steps and evaluations, which is copied, by the name that a method of the model declared
 * (peft_sys_input in peft/sys/method.h): "side_images" [n,3,s,s], n as in those calls, for fpt with side_input=given.
 * PEFT_E_NOTFOUND: the model has no such input; the message lists those that it has. */
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_input(peft_trainer *t, const char *name, const peft_tensor *value);
/* The two halves of a step. backward adds to the gradients of the passes since the last update: peft_param_grad is the
 * sum over these passes, each of which is the gradient of the mean over its batch. update divides by the number of
 * passes, takes the norm over all parameters that are not frozen ("grad_norm"), multiplies by clip_norm / norm if
 * the norm is larger than clip_norm, and runs the optimiser. peft_param_grad does not change: it is the sum, not
 * clipped, until the next backward. A step is a backward, and an update after every "accumulate" of them. */
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_backward(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels, const int64_t *sample_ids);
PEFT_API PEFT_NODISCARD peft_status peft_trainer_update(peft_trainer *t);

/* --- losses of the application ------------------------------------------------------------------------------------ */
/* A loss function. It gets the logits [n,classes] or [n,h,w,classes] f32 of a pass in training mode, and the labels of
 * that call unchecked: of any type and shape, or NULL. It writes the loss, usually a mean over the batch, to *loss, and
 * its derivative with respect to each logit to gradient, which has the shape of logits and holds zeros. All are
 * borrowed for the call. It returns 0, or another number if it failed: then the call fails as fit does for a progress
 * callback, and its changes are undone as for a reducer that fails. PEFT_E_NONFINITE: the gradient or *loss holds NaN
 * or Inf, or *loss was not written; then as for peft_trainer_step. Called in the thread of the step; no lock is held,
 * and sessions of the model may predict. It must not compute with this trainer (PEFT_E_STATE). */
typedef int (*peft_loss_fn)(const peft_tensor *logits, const peft_tensor *labels, peft_tensor *gradient, double *loss,
                            void *user);
/* From the next pass on step, backward and fit use fn in place of the option "loss". That option still decides which
 * labels fit gives to its batch callback ([batch] i64 for ce, [batch,classes] f32 for bce), and a model of one class
 * needs loss=bce. Labels are not checked, and every batch counts. fn NULL: the loss of the option again. A training
 * state saved with a function can only be restored with a function set before (PEFT_E_MISMATCH). */
PEFT_API PEFT_NODISCARD peft_status peft_trainer_set_loss(peft_trainer *t, peft_loss_fn fn, void *user);
/* A loss of the application without a callback. forward runs the network in training mode, with dropout, and updates
 * the running statistics of batch norm; peft_trainer_logits then returns the logits. backward_logits takes the
 * derivative of the loss with respect to them, [n,classes] or [n,h,w,classes] f32, and does the rest of
 * peft_trainer_backward; peft_trainer_get reports `loss`. Then call peft_trainer_update. images and sample_ids as for
 * peft_trainer_step, but images may not be NULL; they are copied. backward_logits is PEFT_E_STATE without a forward
 * before it, or if another call has computed with the trainer since. PEFT_E_NONFINITE as for a loss function. */
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_forward(peft_trainer *t, const peft_tensor *images, const int64_t *sample_ids);
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_backward_logits(peft_trainer *t, const peft_tensor *gradient, double loss);

/* Data-parallel training: several trainers ("ranks"), in one process or on several machines, each see a part of every
 * batch. Once a rank has seen "accumulate" batches, update calls fn, which replaces its gradients by the sum over all
 * ranks (an all-reduce); then every rank makes the same update.
 *
 * gradients [count] f32: those of all parameters, in the order of peft_model_param and without gaps, summed over the
 * *passes backward passes since the last update; the loss of a pass is a mean over that pass's batch. fn writes the sum
 * over all ranks to gradients, and the number of passes of all ranks to *passes, by which update divides. Gradient
 * norm, "clip_norm" and the optimiser then use the mean over all passes of all ranks. If none of a rank's batches has a
 * label that counts, its fn is called with *passes 0 and gradients of zeros; if *passes is 0 after fn, nothing is
 * updated.
 *
 * fn is called in the thread that called update, step or fit; no lock is held, and sessions of the model may predict.
 * It may use gradients until it returns. It returns 0, or another number if it failed: update then fails as fit does
 * for a progress callback (with the status that fn gave to peft_set_error, else PEFT_E_CANCELLED). Parameters, moments
 * and counters are then as they were before the first batch since the last update, or since the state was restored, and
 * the same batches can be given again; fit asks for them again. When a rank fails, also before its fn is called, the
 * application must make the fn of the other ranks fail, because libpeft does not know of them.
 *
 * Rounding: ranks that start from the same parameters and seed, have "accumulate" 1, and add gradients in the order of
 * the ranks, (g0 + g1) + g2, end with the same bits of parameters and moments as one trainer with "accumulate" = ranks
 * that is given the parts one after the other. Dropout depends on rank and ranks, so that each rank drops other values.
 * Not reduced, but separate for each rank: the figures "loss" and "samples"; the weighted mean of "class_weights",
 * which divides by the weights in a pass's batch; batch norm, which normalises by the pass's batch, and its running
 * statistics.
 *
 * Post-local SGD. With "local_steps" H > 1, from update number "local_from" on, each rank makes its updates from its
 * own gradients, and fn is called after every H of them, with the parameters in place of the gradients and *passes 1:
 * it adds up both as usual, and all parameters that are not frozen become the sum divided by *passes. Moments stay
 * those of the rank, so that a run goes on only from a state of each rank. End a run after an averaging, and freeze
 * parameters only then. If fn fails there, the updates have been made: begin again from saved states. An update of a
 * rank's own that fails (PEFT_E_NONFINITE) returns before the averaging, so that the other ranks wait in fn: the
 * application must make it fail there. */
typedef int (*peft_reduce_fn)(float *gradients, int64_t count, int64_t *passes, void *user);
/* Sets the reducer; user is passed to fn. fn NULL, with rank 0 and ranks 1: no reducer from now on. Call this before
 * peft_trainer_restore, whose state may have been saved between two updates. PEFT_E_INVALID: not 0 <= rank < ranks, or
 * fn is NULL with several ranks. PEFT_E_STATE: backward passes since the last update. */
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_set_reduce(peft_trainer *t, int64_t rank, int64_t ranks, peft_reduce_fn fn, void *user);

/* Passes shared by ranks. As above several trainers, in one process or on several machines, train one model, but the
 * number of ranks changes no result: the option "accumulate" counts the passes of an update of all ranks together, so
 * that a run of any number of ranks up to "accumulate" has the bits, counters, losses and training states of one
 * trainer, and a state that was saved with one number of ranks can be restored with another. <peft/mpi.h> has the
 * functions for MPI.
 *
 * gather: the ranks exchange blocks of memory: mine [bytes] of every rank is written to all [ranks * bytes] in the
 * order of the ranks, in every rank. sum: gradients [count] f32 of the ranks whose *passes is not 0 are added in the
 * order of the ranks, (g0 + g1) + g2, and written to gradients in every rank; *passes becomes the sum of theirs. Both
 * are called by all ranks together, as peft_reduce_fn in the thread of the step, and return 0, or another number if
 * they failed, which ends the call in all ranks or leaves the ranks unusable. */
typedef int (*peft_gather_fn)(const void *mine, void *all, size_t bytes, void *user);
/* Makes t rank number `rank` of `ranks`; all ranks call it together, and thereafter peft_trainer_fit and
 * peft_trainer_step. fit takes the batches of an epoch in turn, pass k of an update in rank k modulo ranks, and asks
 * its callback for those of this rank only; it may ask for a batch after the last one: return 0 then. In step and
 * backward each rank gives a batch, that of rank 0 first, or NULL for all three arguments if it has none; update
 * follows after "accumulate" passes of all ranks. If a call fails in one rank, it fails in all of them, elsewhere with
 * the message "rank 2: .."; parameters, moments and counters are then as they were before the first batch since the
 * last update. The progress callback is called in all ranks. Batch norm normalises by the pass's batch; running
 * statistics are those of rank 0's passes, so that only they differ from those of one trainer. Both functions NULL,
 * with rank 0 and ranks 1: no ranks from now on. PEFT_E_OPTION: "accumulate" is less than ranks. PEFT_E_MISMATCH names
 * a rank with another backbone, or with other options, parameter groups, learning rate, seed, kernels or parameters
 * than rank 0. PEFT_E_STATE: backward passes since the last update, or a reducer. These errors too reach all ranks.
 * PEFT_E_UNSUPPORTED: more than 16384 ranks. PEFT_E_INVALID: rank, ranks or functions are wrong; this rank then calls
 * no gather, so that the others wait. peft_trainer_forward cannot be used with ranks (PEFT_E_STATE). */
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_set_ranks(peft_trainer *t, int64_t rank, int64_t ranks, peft_gather_fn gather, peft_reduce_fn sum,
                       void *user);

/* Trains until `epochs` epochs of the run are done, counted from its beginning: fit(10), then fit(12) does two more; if
 * a run is restored in the middle of epoch 7, fit(10) does the rest of epoch 7, then 8 and 9. At the end of an epoch an
 * update uses the passes since the last one, even if they are fewer than "accumulate". PEFT_E_STATE: an epoch without a
 * sample. */
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_fit(peft_trainer *t, int64_t epochs, peft_batch_fn next, peft_progress_fn progress, void *user);
/* Logits [n,classes] or [n,h,w,classes] in evaluation mode (running statistics, no dropout). */
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_evaluate(peft_trainer *t, const peft_tensor *images, peft_tensor *logits);
/* Logits of the last pass in training mode (step, backward, forward): [n,classes] or [n,h,w,classes], borrowed. NULL
 * before the first. */
PEFT_API const peft_tensor *peft_trainer_logits(const peft_trainer *t);
/* Figures by name. Numbers: "loss" (the mean over the passes since the last update, or, right after it, over those of
 * the update), "lr" (of the last update), "grad_norm" (of its mean gradient, before clipping), "step_seconds"
 * (duration of the last step), "added_loss" (what methods added to the loss of the last pass; 0: nothing). Counts:
 * "step" (updates), "epoch", "batch_in_epoch", "samples", "planned_bytes" (all memory of the trainer), "arena_bytes",
 * "flops" (of a step, 2 for each multiply-add, also of what is computed again; with cache_features without the frozen
 * prefix), "cache_hits" (samples found in the cache so far), "cache_samples" (samples stored in it),
 * "trainable_parameters" (elements of all parameters of the model, also of those whose frozen flag is set).
 * peft_trainer_get_float returns any of them, peft_trainer_get_int only counts (PEFT_E_DTYPE: a number).
 * PEFT_E_NOTFOUND: no such figure; the message lists all. PEFT_E_STATE: not known yet. */
PEFT_API PEFT_NODISCARD peft_status peft_trainer_get_int(const peft_trainer *t, const char *name, int64_t *out);
PEFT_API PEFT_NODISCARD peft_status peft_trainer_get_float(const peft_trainer *t, const char *name, double *out);
/* The same without a status, for progress messages: NaN if there is no such figure or it is not known yet. */
PEFT_API double  peft_trainer_get(const peft_trainer *t, const char *name);
/* The table of peft_session_describe for a step on a full batch; in front of it, with cache_features, that of the
 * frozen part, which runs a sample at a time. The FLOPs of the step's table add up to the figure "flops". */
PEFT_API void    peft_trainer_describe(const peft_trainer *t, peft_text_fn fn, void *user);

/* Save and restore the whole state (parameters, moments, buffers, step, epoch, seed, settings, the rate of
 * peft_trainer_set_lr, frozen parameters): a restored run ends with the same bits as one without a break. Restore needs
 * the same backbone, adapters, model and trainer options, groups and notes, compared as values (1e-3 equals 0.001; an
 * option that is not given has its default), else PEFT_E_MISMATCH names the difference with both values, and nothing
 * changes. These may differ: "threads", "executor", "memory_limit", "samples", the cache options, and options that the
 * schedule, optimiser and loss do not read. A larger "steps" extends a run: with schedule constant or step the result
 * is the same as if it had begun with it; a cosine goes on with the rate that the longer schedule has at this step.
 * restore sets the seed of the saved run. PEFT_E_NONFINITE: the state holds NaN or Inf; save then does not change path.
 * PEFT_E_STATE: called in a loss function or reducer, before the batch is done. */
PEFT_API PEFT_NODISCARD peft_status peft_trainer_save(const peft_trainer *t, const char *path);
PEFT_API PEFT_NODISCARD peft_status peft_trainer_restore(peft_trainer *t, const char *path);
/* For training in stages, such as prefix tokens first and then LoRA with them (PT-PEFT): begins a training with what
 * an earlier one has learned, whose state is at path. Takes from it the value, the moments and the number of updates of
 * every parameter that the model of t has too, by name (the head's, and those of adapters that both models have, of the
 * same method and options), and buffers; other parameters stay as they are. Step, epoch and schedule of t begin at 0,
 * with its own options, and AdamW's bias correction counts the updates of each parameter. *parameters (NULL: not
 * needed): how many were taken. The stages: train and save, free the trainer, attach the next adapter, make a new
 * trainer, warm start. Values alone need no warm start, as they belong to the adapters and the model. Nothing changes
 * on failure. PEFT_E_STATE: t has trained already; PEFT_E_MISMATCH: another backbone, another "optimizer", other
 * extents, or an adapter or head with these parameters that has another method or other options ("init" and "head_init"
 * may differ); PEFT_E_NOTFOUND: no parameter in common. */
PEFT_API PEFT_NODISCARD peft_status
peft_trainer_warm_start(peft_trainer *t, const char *path, size_t *parameters);
/* Texts that are stored in the state, such as peft_dataset_digest of the training data under "data". A text is copied
 * and replaces an earlier one. Set notes before restore, which refuses a state with other notes (PEFT_E_MISMATCH, both
 * values). PEFT_E_INVALID: key begins with "libpeft." or is empty, or a text is not UTF-8. */
PEFT_API PEFT_NODISCARD peft_status peft_trainer_set_note(peft_trainer *t, const char *key, const char *value);
PEFT_API const char *peft_trainer_note(const peft_trainer *t, const char *key);          /* borrowed; NULL: none */

PEFT_END_DECLS
#endif
