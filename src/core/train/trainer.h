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
#include "core/train/update/schedule.h"

/* The values of the options with these names; clip: option clip_norm. adamw false: SGD, which alone reads nesterov and
 * momentum. */
typedef struct pf_optimizer {
    bool adamw, nesterov;
    double weight_decay, beta1, beta2, eps, momentum, clip;
} pf_optimizer;

/* The application's reducer; fn NULL, rank 0, ranks 1: none. */
typedef struct pf_reduce { peft_reduce_fn fn; void *user; int64_t rank, ranks; } pf_reduce;
/* The application's loss function; fn NULL: the loss is t->loss. */
typedef struct pf_custom_loss { peft_loss_fn fn; void *user; } pf_custom_loss;
/* The position of training in the data. samples: number since the run began. */
typedef struct pf_data_position { int64_t epoch, batch_in_epoch, samples; } pf_data_position;

/* A trained parameter with its optimiser state. */
typedef struct pf_slot {
    pf_param *p;
    int64_t count;                       /* elements */
    pk_real *m, *v;                      /* first and second moments; v NULL: SGD, whose m is the momentum buffer */
    double lr_scale, weight_decay;
    bool frozen;                         /* updates leave the parameter and its moments as they are */
    int64_t skipped;                     /* updates while it was frozen: step - skipped have changed its moments */
} pf_slot;

struct peft_trainer {
    peft_model *model;
    peft_context *ctx;
    peft_options *options;
    pf_team team;
    pf_loss loss;                        /* as the options say */
    pf_custom_loss custom_loss;
    pf_optimizer opt;
    pf_schedule schedule;
    int64_t batch, accumulate;           /* options: most samples in a batch; backward passes for each update */
    pf_compile_spec compile;             /* settings of all graphs below, without batch and training */
    bool split_prefix;                   /* cache_features > 0: the frozen prefix is a graph of its own */

    pf_slot *slot; size_t slots;         /* in the order of peft_model_param */
    pk_real *slab; size_t slab_bytes;    /* all gradients, first moments, second moments, saved_buffers */
    pk_real *saved_buffers;              /* the model's buffers before the first pending backward pass */
    pf_compiled net;                     /* training; with a front the nodes after it (PF_AFTER_PREFIX) */
    pf_extents extents;                  /* resizes net for smaller batches */
    pf_compiled front;                   /* the frozen prefix, for one sample; without crossings: unused */
    pf_compiled eval;                    /* evaluation, for a batch; with a front for one sample */
    void *arena; size_t arena_bytes;     /* memory of net, front and eval (nets.c) */
    bool net_reads_images;               /* net reads images, not only front does */
    bool warned_ids;                     /* logged: samples without an id are not cached */
    bool warned_labels;                  /* logged: all labels of a batch have weight 0 or are not judged */
    pf_cache cache;
    pf_given given;                      /* inputs that a method declared */
    /* Buffers for one batch: fit's callback writes to them, and tensors of another element type are converted into
     * images and targets. images is in the arena. */
    pk_real *images, *targets;
    int64_t *labels, *ids;
    pk_real *logits;                     /* of the last forward pass */
    peft_tensor image_view, label_view, logits_view;             /* of images, labels or targets, logits */

    uint64_t seed;                       /* the context's when the trainer was made, or that of the restored state */
    int64_t step;                        /* updates */
    int64_t epoch, batch_in_epoch, samples;                      /* samples: since the run began */
    int64_t pending;                     /* backward passes since the last update */
    int64_t batches;                     /* the same, with batches that need no pass (pass_without_labels) */
    pf_data_position pending_start;      /* before the first of these batches */
    pf_reduce reduce;
    const char *callback;                /* the one that runs now, "loss function" or "reducer"; NULL: none */
    bool fitting;                        /* peft_trainer_fit runs */
    int64_t forward_samples;             /* samples of a forward pass whose backward pass is to come; 0: none */
    double loss_sum;                     /* of the pending passes */
    double last_loss, last_norm, last_lr, seconds;               /* the last step's, for figures.c */
    bool warned_end;                     /* logged: the schedule has ended with a rate of 0 */
    pf_notes notes;
};

extern const pf_opt pf_trainer_options[];                                          /* trainer_options.c */
/* trainer_settings.c: settings that must be equal in a training state and in the trainer that restores it. */
peft_status pf_settings_write(const peft_trainer *t, pf_st_out *o);
peft_status pf_settings_check(const peft_trainer *t, const pf_st *st);
/* update/changes.c: base learning rate, frozen parameters and kind of loss, which the application may change between
 * updates. _read checks the entries of the state st, whose step is `step`; with copy it sets them in t as well. */
peft_status pf_changes_write(const peft_trainer *t, pf_st_out *o);
peft_status pf_changes_read(peft_trainer *t, const pf_st *st, int64_t step, bool copy);
/* option_uses.c: PEFT_E_OPTION for an option that the chosen loss, optimiser or schedule does not read. */
peft_status pf_option_uses(const peft_options *o);
/* true: the loss, optimiser or schedule that o chooses reads option name. */
bool        pf_option_is_read(const peft_options *o, const char *name);
/* loss_options.c: sets t->loss, with its lists, as t->options say. */
peft_status pf_loss_options(peft_trainer *t);
void        pf_loss_free(peft_trainer *t);
/* update/slab.c: memory for gradients and moments of the model's parameters. matrices_only: weight decay applies
 * to tensors of two or more extents only. */
peft_status pf_slab_create(peft_trainer *t, bool matrices_only);
void        pf_slab_release(peft_trainer *t);                                    /* so that others can train them */
int         pf_optimizer_moments(const pf_optimizer *o);                         /* of each parameter: AdamW 2, SGD 1 */
/* --- update/pending.c: the batches since the last update --- */
/* Copies the model's buffers to t->saved_buffers; restore: back. */
void        pf_pending_buffers(peft_trainer *t, bool restore);
void        pf_pending_add(peft_trainer *t, int64_t samples, bool backward);     /* a batch, and a pass if backward */
/* The number that option "accumulate" is compared with: of pending passes. With a reducer it is that of all batches, so
 * that every rank calls its reducer after the same number of batches, even if some need no pass. */
int64_t     pf_pending_count(const peft_trainer *t);
/* Discards the pending passes: restores the buffers; the next pass overwrites the gradients. */
void        pf_pending_drop(peft_trainer *t);
/* The same, and sets epoch, batch_in_epoch and samples back to t->pending_start. */
void        pf_pending_rewind(peft_trainer *t);
/* update/reduce.c: replaces the gradients by their sum over all ranks, and *passes by the number of passes of all
 * ranks. If the reducer fails, it calls pf_pending_rewind. Does nothing without a reducer. */
peft_status pf_reduce_gradients(peft_trainer *t, int64_t *passes);
/* --- nets.c: the compiled graphs and their memory --- */
peft_status pf_trainer_compile(peft_trainer *t);
peft_status pf_trainer_set_batch(peft_trainer *t, int64_t n);                    /* resizes t->net for n samples */
void        pf_forward_end(peft_trainer *t);             /* ends or gives up a pass: t->net is for a full batch again */
int64_t     pf_trainer_image_elements(const peft_trainer *t);                    /* of one image */
size_t      pf_trainer_bytes(const peft_trainer *t);                             /* all memory of the trainer */
/* forward.c: runs the nodes before the loss for a checked batch of n samples and copies the logits to t->logits.
 * labels: what the loss node will read. copy: copies the images, because the caller may change them before the backward
 * pass. */
peft_status pf_forward(peft_trainer *t, const peft_tensor *images, const int64_t *ids, int64_t n, const void *labels,
                       bool copy);
/* --- update/callback.c --- */
/* The error of an application's callback that returned another number than 0: the error of the last libpeft function
 * that failed in it, or that it gave to peft_set_error, else PEFT_E_CANCELLED. */
peft_status pf_callback_failed(const peft_trainer *t, const char *callback, int returned);
/* PEFT_E_INVALID: t is NULL. PEFT_E_STATE: called in a callback that runs within a step of t. */
peft_status pf_trainer_ready(const peft_trainer *t);
/* --- evaluate.c --- */
/* The elements of x as pk_real: x->data if they have this type, else buffer, into which they are converted. */
const void *pf_trainer_as_real(const peft_tensor *x, pk_real *buffer);
/* PEFT_E_NONFINITE: a sample, which the message names, has a NaN or Inf among its pixels. */
peft_status pf_trainer_check_pixels(const peft_trainer *t, const pk_real *images, const int64_t *ids, int64_t n);
#endif
