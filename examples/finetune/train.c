/* SPDX-License-Identifier: Apache-2.0
 * train.c -- the training of a run: progress, training states, and what is noted in the model (run.h). */
#include "run.h"
#include "common/files/output.h"
#include "common/backbone/backbone_name.h"
#include "common/program/clock.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "common/ranks/ranks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The loader is not passed to peft_trainer_fit itself, since after_update needs the run as `user`. */
static int64_t next_batch(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                          void *user)
{
    return peft_loader_next(epoch, batch, images, labels, ids, ((run *)user)->t.loader);
}

/* Saves the training state. Only warns on failure, so a full disk does not end the training. */
static void save_state(const peft_trainer *t, const char *path)
{
    if (peft_trainer_save(t, path))
        warn("the training state could not be saved, training goes on: %s (%s)", path, peft_last_error());
}

/* Called after each update: draws the progress line, and at the end of an epoch prints a line and saves the state.
 * Computes epoch and batch from the number of samples seen, since with gradient accumulation an update has several
 * batches. A result other than 0 stops the training. */
static int after_update(peft_trainer *t, void *user)
{
    run *r = user;
    const int64_t last_sample = (int64_t)peft_trainer_get(t, "samples") - 1;     /* counted from 0 over all epochs */
    const int64_t epoch = last_sample / r->images + 1;
    const int64_t batch_number = last_sample % r->images / peft_loader_batch_size(r->t.loader) + 1;
    const double loss_now = peft_trainer_get(t, "loss");
    r->updates++;
    r->updates_in_epoch++;
    r->loss_sum += loss_now;
    char text[80];
    snprintf(text, sizeof text, "epoch %lld of %lld, loss %.4f", (long long)epoch, (long long)r->epochs, loss_now);
    show_progress(&r->bar, last_sample + 1, r->resumed_samples, text);
    if (batch_number < r->batches) return stop_requested;
    hide_progress(&r->bar);
    printf("epoch %lld/%lld  loss %.5f  lr %.3e  %.2f s\n", (long long)epoch, (long long)r->epochs,
           r->loss_sum / (double)r->updates_in_epoch, peft_trainer_get(t, "lr"), seconds_now() - r->epoch_start);
    fflush(stdout);
    r->updates_in_epoch = 0;
    r->loss_sum = 0;
    r->last_epoch = epoch;
    if (r->validator) r->ended = judge_epoch(r, epoch);
    r->epoch_start = seconds_now();
    const bool saves = given[state].value || ranks.share;     /* a rank that dies ends all without warning */
    if (saves && r->state) {                                  /* the best values first: resuming expects no older */
        save_best(r);
        save_state(t, r->state);
    }
    return stop_requested || r->ended;
}

static peft_status save_trainer(const void *t, const char *path) { return peft_trainer_save(t, path); }

void train_model(run *r)
{
    r->start = r->epoch_start = seconds_now();
    if (!r->fold_epoch) r->epochs = r->t.epochs;
    r->bar = start_progress("images", r->images * r->epochs);
    r->resumed_samples = (int64_t)peft_trainer_get(r->t.trainer, "samples");
    r->ended = false;
    r->last_epoch = (int64_t)peft_trainer_get(r->t.trainer, "samples") / r->images;
    if (r->validated) begin_validation(r);
    /* No step after a stop while begin_validation judged an epoch: --resume judges it before the next step. */
    const bool stopped = stop_requested && !r->ended;
    const peft_status s = r->ended || stopped ? PEFT_OK
                        : peft_trainer_fit(r->t.trainer, r->epochs, next_batch, after_update, r);
    if ((!s && !stopped) || r->ended) {
        if (r->state && !given[state].value) {                /* for a run that is stopped before its evaluation ends */
            save_best(r);
            save_state(r->t.trainer, r->state);
        }
        if (r->validator) end_validation(r);
        return;
    }
    char *error = check_alloc(strdup(peft_last_error()));
    if (ranks.failed) ranks.failed();
    hide_progress(&r->bar);
    if (s == PEFT_E_NONFINITE)
        fail("%s (%s); the model is not saved. Usually a smaller --lr or --clip-norm 1 helps", error,
             peft_status_name(s));
    if (!r->state && stop_requested) fail("stopped in a fold; the same command with --resume trains this fold again");
    if (!r->state) fail("%s (%s)", error, peft_status_name(s));
    save_best(r);
    const bool replace = true;                                /* check_files has made sure that it may be */
    const char *path = save_or_fallback("state", r->state, replace, save_trainer, r->t.trainer);
    char *hint;
    const char *format = strcmp(path, r->state) ? "--resume --state %s continues" : "--resume continues from %s";
    if (asprintf(&hint, format, path) < 0) fail("out of memory");
    if (stop_requested)
        fail("stopped after step %.0f; the same command with %s", peft_trainer_get(r->t.trainer, "step"), hint);
    fail("%s (%s); the same command with %s", error, peft_status_name(s), hint);
}

void add_notes(run *r)
{
    char *names = class_name_lines(r->t.train);
    char *vit = backbone_description(r->t.vit, r->t.backbone);
    must(peft_model_set_note(r->t.model, "backbone", vit));
    free(vit);
    must(peft_model_set_note(r->t.model, "preprocess", peft_transform_text(r->t.transform)));
    must(peft_model_set_note(r->t.model, "class_names", names));
    if (given[image_options].value) must(peft_model_set_note(r->t.model, "image_options", given[image_options].value));
    must(peft_model_set_note(r->t.model, "link", has_several_labels(r->t.train) ? "sigmoid" : "softmax"));
    free(names);
}
