/* SPDX-License-Identifier: Apache-2.0
 * trainer.h -- the struct of a trainer, and what the files of src/core/train share. */
#ifndef PF_TRAINER_H
#define PF_TRAINER_H
#include <peft/trainer.h>
#include "core/train/cache/cache.h"
#include "core/train/extents.h"
#include "core/train/update/schedule.h"

typedef struct pf_optimizer {
    bool adamw, nesterov;
    double weight_decay, beta1, beta2, eps, momentum, clip;
} pf_optimizer;

/* The application's reducer; fn NULL, rank 0, ranks 1: none. */
typedef struct pf_reduce { peft_reduce_fn fn; void *user; int64_t rank, ranks; } pf_reduce;
/* The application's loss function; fn NULL: the loss is t->loss. */
typedef struct pf_own_loss { peft_loss_fn fn; void *user; } pf_own_loss;
/* A place in the data. */
typedef struct pf_place { int64_t epoch, batch_in_epoch, samples; } pf_place;

/* A trained tensor as the optimiser sees it. */
typedef struct pf_slot {
    pf_param *p;
    int64_t count;
    pk_real *m, *v;
    double lr_scale, weight_decay;
    bool frozen;                         /* the next update leaves it as it is */
    int64_t skipped;                     /* updates that left it as it was: step - skipped have changed its moments */
} pf_slot;

struct peft_trainer {
    peft_model *model;
    peft_context *ctx;
    peft_options *options;
    pf_team team;
    pf_loss loss;                        /* by the options */
    pf_own_loss own;
    pf_optimizer opt;
    pf_schedule schedule;
    int64_t batch, accumulate;
    pf_compile_spec compile;             /* settings of all nets, but for batch and training */
    bool apart;                          /* cache_features is on: the frozen prefix runs by itself, sample by sample */

    pf_slot *slot; size_t slots;
    pk_real *slab; size_t slab_bytes;    /* all gradients, all first moments, all second ones, a copy of the buffers */
    pk_real *saved_buffers;              /* as they were before the first of the pending backward passes */
    pf_compiled net;                     /* training; with a front what is behind it */
    pf_extents extents;                  /* of net, for smaller batches */
    pf_compiled front;                   /* with cache_features: the frozen prefix of a sample; no crossings: none */
    pf_compiled eval;                    /* for the batch; with a front for a sample */
    void *arena; size_t arena_bytes;     /* shared by all of them, see nets.c */
    bool reads_images;                   /* behind the front */
    bool warned_ids;                     /* of samples without an id beside cache_features */
    bool warned_labels;                  /* of a batch without a label that counts */
    pf_cache cache;
    pf_given given;
    pk_real *images, *targets;           /* a batch as fit hands it out or as converted; images stand in the arena */
    pk_real *logits;                     /* of the last backward pass */
    int64_t *labels, *ids;
    peft_tensor image_view, label_view, logits_view;

    uint64_t seed;                       /* the context's when the trainer was made, or the restored run's */
    int64_t step, epoch, batch_in_epoch, samples, pending;       /* pending: backward passes not yet used by update */
    int64_t batches;                     /* since the last update, those without a label that counts included */
    pf_place first;                      /* where in the data the first of these batches was */
    pf_reduce reduce;
    const char *inside;                  /* the callback that runs, "loss function" or "reducer"; NULL: none */
    int64_t forwarded;                   /* samples of a forward pass without its backward pass; 0: none */
    double loss_sum;                     /* of the pending passes */
    double last_loss, last_norm, last_lr, seconds;
    bool told_end;                       /* of the schedule, by a warning */
    pf_notes notes;                      /* the application's */
};

extern const pf_opt pf_trainer_options[];                                          /* trainer_options.c */
/* trainer_settings.c: what a state and the trainer that it is restored into must have in common */
peft_status pf_settings_write(const peft_trainer *t, pf_st_out *o);
peft_status pf_settings_check(const peft_trainer *t, const pf_st *st);
/* update/changes.c: what the application may change between updates. With copy the entries of st are taken over;
 * without they are only checked. step: the state's. */
peft_status pf_changes_write(const peft_trainer *t, pf_st_out *o);
peft_status pf_changes_read(peft_trainer *t, const pf_st *st, int64_t step, bool copy);
/* option_uses.c: PEFT_E_OPTION for an option that the chosen loss, optimiser or schedule does not read. */
peft_status pf_option_uses(const peft_options *o);
bool        pf_option_is_read(const peft_options *o, const char *name);          /* by what these options choose */
/* loss_options.c: t->loss, with its lists, from t->options. */
peft_status pf_loss_options(peft_trainer *t);
void        pf_loss_free(peft_trainer *t);
/* update/slab.c: gradients and moments of the model's parameters, in the order of peft_model_param. */
peft_status pf_slab_take(peft_trainer *t, bool decay_matrices);
void        pf_slab_leave(peft_trainer *t);              /* another trainer may take the parameters */
/* update/pending.c: the batches since the last update */
double      pf_trainer_now(void);                                                /* seconds */
/* Copies the model's buffers to t->saved_buffers, or back. */
void        pf_pending_buffers(peft_trainer *t, bool restore);
void        pf_pending_add(peft_trainer *t, int64_t samples, bool pass);         /* a batch; pass: with a gradient */
/* The number that option "accumulate" is compared with: pending passes; with a reducer all batches, so that every rank
 * calls its reducer after the same number of batches, also where a batch has no label that counts. */
int64_t     pf_pending_count(const peft_trainer *t);
/* The next pass overwrites the gradients of those so far, and running statistics are restored. */
void        pf_pending_drop(peft_trainer *t);
/* The same, and epoch, batch_in_epoch and samples are set back to before the first of them. */
void        pf_pending_rewind(peft_trainer *t);
/* update/reduce.c: replaces the gradients by the sum over all ranks, and *passes by the number of passes in it. On
 * failure pf_pending_rewind. Without a reducer: nothing. */
peft_status pf_reduce_gradients(peft_trainer *t, int64_t *passes);
/* nets.c: compiled nets and where they run */
peft_status pf_trainer_compile(peft_trainer *t);
peft_status pf_trainer_net(peft_trainer *t, int64_t n);                          /* the net is one for n samples */
void        pf_forward_end(peft_trainer *t);            /* a batch is done, or given up: whole batches again */
int64_t     pf_trainer_image(const peft_trainer *t);                             /* elements of one */
/* forward.c: runs the nodes in front of the loss for a checked batch of n, and copies the logits. labels: what the loss
 * node reads, if it is run. copy: images may change before the backward pass. */
peft_status pf_forward(peft_trainer *t, const peft_tensor *images, const int64_t *ids, int64_t n, const void *labels,
                       bool copy);
/* update/callback.c. The error of the application's callback `what`, which returned a number that is not 0: that of the
 * last libpeft function that failed in it, or that it gave to peft_set_error, else PEFT_E_CANCELLED. */
peft_status pf_stopped(const peft_trainer *t, const char *what, int returned);
/* PEFT_E_INVALID for NULL; PEFT_E_STATE where a callback calls what must not run inside a step. */
peft_status pf_trainer_ready(const peft_trainer *t);
/* evaluate.c. data as pk_real: itself, or converted into room. */
const void *pf_trainer_reals(const peft_tensor *x, pk_real *room);
/* A NaN or Inf among the pixels would only show as a loss or a logit that is none: the sample is named instead. */
peft_status pf_trainer_pixels(const peft_trainer *t, const pk_real *images, const int64_t *ids, int64_t n);
/* How many bytes the trainer holds. */
size_t      pf_trainer_bytes(const peft_trainer *t);
/* moments the optimiser keeps a parameter: 2 for AdamW, 1 for SGD */
int         pf_optimizer_moments(const pf_optimizer *o);
#endif
