/* SPDX-License-Identifier: Apache-2.0
 * trainer.h -- the struct of a trainer and the functions that the files of src/core/train call from each other.
 *
 * With the feature cache the model is compiled to two graphs: the front, which is the frozen prefix (all operations
 * before the first trained value), and net with the nodes after it. Crossing values are those that the front computes
 * and net reads; the cache keeps them by sample id. */
#ifndef PF_TRAINER_H
#define PF_TRAINER_H
#include <peft/trainer.h>
#include "core/train/cache/cache.h"
#include "core/train/extents.h"
#include "core/train/update/optimizer.h"
#include "core/train/update/schedule.h"

/* The application's reducer. Without one fn is NULL, rank 0, ranks 1. */
typedef struct pf_reduce { peft_reduce_fn fn; void *user; int64_t rank, ranks; } pf_reduce;
/* Ranks that divide the passes of an update. Without them gather is NULL, rank 0, ranks 1. records: of all ranks, in a
 * round (ranks/ranks.c). */
typedef struct pf_ranks {
    peft_gather_fn gather; peft_reduce_fn sum; void *user;
    int64_t rank, ranks;
    void *records;
} pf_ranks;
/* The members of the trainer with these names at the begin of a round. */
typedef struct pf_round { int64_t pending, batches, samples; double loss_sum; } pf_round;
/* Option extrapolate (update/extrapolate.c) and its rate; moved: the model holds moved values, for a pass. */
typedef enum pf_extrapolate_kind {
    PF_EXTRAPOLATE_NONE, PF_EXTRAPOLATE_GRADIENT, PF_EXTRAPOLATE_NOISE, PF_EXTRAPOLATE_MOMENTUM, PF_EXTRAPOLATE_KINDS
} pf_extrapolate_kind;
typedef struct pf_extrapolate { pf_extrapolate_kind kind; double lr; bool moved; } pf_extrapolate;
extern const char *const pf_extrapolate_names[PF_EXTRAPOLATE_KINDS];
/* Options local_steps and local_from (ranks/local.c). */
typedef struct pf_local { int64_t steps, from; } pf_local;
/* The application's loss function; fn NULL: the loss is t->loss. */
typedef struct pf_custom_loss { peft_loss_fn fn; void *user; } pf_custom_loss;
/* The position of training in the data. samples: number since the run began. */
typedef struct pf_data_position { int64_t epoch, batch_in_epoch, samples; } pf_data_position;

struct peft_trainer {
    peft_model *model;
    peft_context *ctx;
    peft_options *options;
    pf_engine engine;
    pk_float_mode caller_mode;           /* floating-point mode of the application in the call that runs */
    pf_loss loss;                        /* kind, weights and reduction of the loss, from the options */
    pf_custom_loss custom_loss;
    pf_optimizer optimizer;
    pf_schedule schedule;
    double proximal;                     /* option */
    pf_extrapolate extrapolate;
    pf_local local;
    int64_t batch, accumulate;           /* options: most samples in a batch; backward passes of an update */
    pf_compile_spec compile;             /* settings of all graphs below, without batch and training */
    bool split_prefix;                   /* cache_features > 0: the frozen prefix is a graph of its own */

    pf_trained *trained; size_t trained_count;   /* in the order of peft_model_param */
    pk_real *slab; size_t slab_bytes;    /* one block of memory (update/slab.c), which the gradients begin */
    pk_real *saved_buffers;              /* the model's buffers before the first pending backward pass */
    pf_compiled net;                     /* training: the whole model; with a front the nodes after it */
    pf_extents extents;                  /* resizes net for smaller batches */
    pf_compiled front;                   /* the frozen prefix, for one sample; without crossings: unused */
    pf_compiled eval;                    /* evaluation, for a batch; with a front for one sample */
    void *arena; size_t arena_bytes;     /* memory of net, front and eval (nets.c) */
    bool net_reads_images;               /* net reads images, not only front does */
    /* Warnings that are logged once; true: has been logged. */
    bool warned_no_id;                   /* samples without an id are not cached */
    bool warned_no_label;                /* all labels of a batch have weight 0 or are not judged */
    bool warned_schedule_end;            /* the schedule has ended with a rate of 0 */
    pf_cache cache;
    pf_method_inputs method_inputs;      /* inputs that a method declared, set by peft_trainer_input */
    /* Buffers for one batch: fit's callback writes to them, and tensors of another element type are converted into
     * images and targets. images is own_images, or in the arena. */
    pk_real *images, *own_images, *targets;
    int64_t *labels, *ids;
    pk_real *logits;                     /* of the last forward pass */
    peft_tensor image_view, label_view, logits_view;             /* of images, labels or targets, logits */

    uint64_t seed;                       /* the context's when the trainer was made, or that of the restored state */
    int64_t step;                        /* updates */
    int64_t extra_draws;                 /* added to step for the random numbers of a pass that no update follows */
    int64_t epoch, batch_in_epoch, samples;                      /* samples: since the run began */
    int64_t pending;                     /* backward passes since the last update */
    int64_t batches;                     /* batches since the last update, also those whose labels need no pass */
    pf_data_position pending_start;      /* before the first of these batches */
    pf_reduce reduce;
    pf_ranks ranks;
    pf_round round;
    const char *callback;                /* the application's that runs: "loss function", "reducer"; NULL: none */
    bool fitting;                        /* peft_trainer_fit runs */
    int64_t forward_samples;             /* samples of a forward pass whose backward pass is to come; 0: none */
    double loss_sum, pass_loss;          /* of the pending passes; of the last one */
    double last_loss, last_norm, last_lr, seconds;               /* of the last step, for figures.c; NaN: none yet */
    double last_added;                   /* losses that methods added in the last pass; NaN: none yet */
    pf_notes notes;
};

#define PF_MAX_COUNT ((int64_t)1e15)     /* largest count in a state and value of option "steps"; far from overflow */
extern const pf_opt pf_trainer_options[];                                          /* trainer_options.c */
/* trainer_settings.c: settings that must be equal in a training state and in the trainer that restores it. */
peft_status pf_settings_write(const peft_trainer *t, pf_st_out *o);
peft_status pf_settings_check(const peft_trainer *t, const pf_st *st);
/* A hash of all options that a state must share, as values; adds bytes to a hash. */
uint64_t    pf_settings_hash(const peft_trainer *t);
uint64_t    pf_settings_mix(uint64_t hash, const void *bytes, size_t count);
/* For a warm start: PEFT_E_MISMATCH if the state was saved with other options of the model, or has no adapter with the
 * method and options of the trainer's. Options of initial values may differ. */
peft_status pf_settings_check_head(const peft_trainer *t, const pf_st *st);
peft_status pf_settings_check_adapter(const peft_trainer *t, const pf_st *st, size_t adapter);
/* update/changes.c: base learning rate, frozen parameters and kind of loss, which the application may change between
 * updates. _write adds them to the metadata of a state. _check compares the entries of the state st, whose step is
 * `step`, with t; _restore, called after it, sets them in t. */
peft_status pf_changes_write(const peft_trainer *t, pf_st_out *o);
peft_status pf_changes_check(const peft_trainer *t, const pf_st *st, int64_t step);
peft_status pf_changes_restore(peft_trainer *t, const pf_st *st, int64_t step);
/* The members of pf_trained with these names, as the state st has them for the parameter s. */
typedef struct pf_update_counts { bool frozen; int64_t skipped, earlier; } pf_update_counts;
peft_status pf_changes_counts(const pf_trained *s, const pf_st *st, int64_t step, pf_update_counts *c);
/* option_uses.c: PEFT_E_OPTION: o sets an option that the chosen loss, optimiser or schedule does not read. */
peft_status pf_check_unread_options(const peft_options *o);
/* true: the loss, optimiser or schedule that o chooses reads option name, or every trainer reads it. */
bool        pf_option_is_read(const peft_options *o, const char *name);
/* loss_options.c: sets t->loss, with its lists of numbers, as t->options say; frees the lists. */
peft_status pf_loss_read_options(peft_trainer *t);
void        pf_loss_free(peft_trainer *t);
/* update/slab.c: memory for gradients and moments of the model's parameters. matrices_only: weight decay applies
 * to tensors of two or more extents only. */
peft_status pf_slab_create(peft_trainer *t, bool matrices_only);
void        pf_slab_release(peft_trainer *t);                /* another trainer can then train the parameters */
/* --- update/pending.c: the batches, and their backward passes, since the last update (pending) --- */
/* Copy the model's buffers, such as running statistics, to t->saved_buffers, and back. */
void        pf_pending_save_buffers(peft_trainer *t);
void        pf_pending_restore_buffers(peft_trainer *t);
/* Count a batch that had a backward pass, or one that needed none because no label counts. */
void        pf_pending_add_pass(peft_trainer *t, int64_t samples);
void        pf_pending_add_without_pass(peft_trainer *t, int64_t samples);
/* The number that is compared with option "accumulate": that of pending passes. With a reducer it is that of all
 * batches, so that every rank calls its reducer after the same number of batches, even if some need no pass. */
int64_t     pf_pending_count(const peft_trainer *t);
/* Discards the pending passes: restores the buffers; the next pass overwrites the gradients. */
void        pf_pending_drop(peft_trainer *t);
/* Does the same as pf_pending_drop, and sets epoch, batch_in_epoch and samples back to t->pending_start. */
void        pf_pending_rewind(peft_trainer *t);
/* ranks/reduce.c: PEFT_E_INVALID: not 0 <= rank < ranks. */
peft_status pf_check_rank(int64_t rank, int64_t ranks);
/* Replaces the gradients by their sum over all ranks, and *passes by the number of passes of all
 * ranks. If the reducer fails, it calls pf_pending_rewind. Does nothing without a reducer. */
peft_status pf_reduce_gradients(peft_trainer *t, int64_t *passes);
/* --- ranks/ranks.c: passes that several ranks share --- */
static inline bool pf_is_shared(const peft_trainer *t) { return t->ranks.gather != NULL; }
void        pf_ranks_free(peft_trainer *t);
/* Calls the gather function in the caller's floating-point mode. */
peft_status pf_ranks_gather(peft_trainer *t, const void *mine, void *all, size_t bytes);
/* Makes room for what the ranks gather in a round. */
peft_status pf_ranks_make_records(peft_trainer *t);
/* A round: begin, then at most one pass of this rank, then end with the status of that pass. end tells all ranks; the
 * gradients, counters and losses are then those of all passes. If any rank has failed, all fail, with its message, and
 * pf_pending_rewind is called. ending: this rank has no further rounds, as all others must. */
void        pf_round_begin(peft_trainer *t);
peft_status pf_round_end(peft_trainer *t, peft_status s, bool ending);
/* Gives the model of every rank the buffers (running statistics) of rank 0. */
peft_status pf_share_buffers(peft_trainer *t);
/* step.c: peft_trainer_backward without the other ranks. */
peft_status pf_own_backward(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                            const int64_t *sample_ids);
/* Calls the application's reducer with the memory of the gradients; returns its result. */
int         pf_call_reducer(peft_trainer *t, int64_t *passes);
/* update/proximal.c: takes the parameters as those that training begins with; adds `passes` times the derivative of the
 * proximal term to the gradients. Both do nothing without option proximal. */
void        pf_proximal_start(peft_trainer *t);
void        pf_proximal_add(peft_trainer *t, int64_t passes);
/* update/extrapolate.c: moves the parameters for a pass, whose number no other pass of any rank has, and back. At an
 * update, before the reducer: keeps the mean gradient of this rank; after the reducer has succeeded: makes it the next
 * direction. All do nothing where the options ask for nothing. */
void        pf_extrapolate_begin(peft_trainer *t, uint64_t pass);
void        pf_extrapolate_end(peft_trainer *t);
void        pf_extrapolate_keep_gradient(peft_trainer *t);
void        pf_extrapolate_set_direction(peft_trainer *t);
/* ranks/local.c: whether the next update uses this rank's own gradients; whether the parameters are to become their
 * mean over the ranks; makes them that mean. */
bool        pf_update_is_local(const peft_trainer *t);
bool        pf_local_mean_is_due(const peft_trainer *t);
peft_status pf_local_mean(peft_trainer *t);
/* --- nets.c: the compiled graphs and their memory --- */
peft_status pf_trainer_compile(peft_trainer *t);
peft_status pf_trainer_set_batch(peft_trainer *t, int64_t n);                    /* resizes t->net for n samples */
void        pf_forward_end(peft_trainer *t);     /* after a pass, also one that failed: t->net is for a full batch */
int64_t     pf_trainer_image_elements(const peft_trainer *t);                    /* of one image */
size_t      pf_trainer_bytes(const peft_trainer *t);                             /* all memory of the trainer */
/* forward.c: runs the nodes before the loss for a checked batch of n samples and copies the logits to t->logits.
 * labels: what the loss node will read. PF_COPY_IMAGES: the caller may change images before the backward pass, which
 * reads them too. */
typedef enum pf_image_use { PF_BORROW_IMAGES, PF_COPY_IMAGES } pf_image_use;
peft_status pf_forward(peft_trainer *t, const peft_tensor *images, const int64_t *ids, int64_t n, const void *labels,
                       pf_image_use use);
/* --- update/callback.c --- */
/* The error of an application's callback (its name for the message) that returned another number than 0: the error of
 * the last libpeft function that failed in the callback, or that the callback gave to peft_set_error, else
 * PEFT_E_CANCELLED. */
peft_status pf_callback_failed(const peft_trainer *t, const char *callback, int returned);
/* PEFT_E_INVALID: t is NULL. PEFT_E_STATE: called in a callback that runs within a step of t. */
peft_status pf_trainer_ready(const peft_trainer *t);
#endif
