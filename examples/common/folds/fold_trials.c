/* SPDX-License-Identifier: Apache-2.0
 * fold_trials.c -- trains candidates on folds and judges them (fold_trials.h). */
#include "fold_trials.h"
#include "common/predictions/predictions.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "out_of_fold.h"
#include "shared_features.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNKNOWN, YES, NO };
/* Loaders keep their images, so that each is decoded once in a search and not for every candidate. */
struct fold_loaders {
    peft_loader **train, **held;                              /* [folds] */
    char *batch;                                              /* of the loaders of train */
    char *sharing;                                            /* [candidates]: UNKNOWN, YES or NO */
};

static char *file_of(const char *files, int64_t candidate, int64_t k, const char *ending)
{
    char *path;
    if (asprintf(&path, "%s-%lld-%lld.%s", files, (long long)candidate, (long long)k, ending) < 0)
        fail("out of memory");
    return path;
}

static void free_loaders(fold_loaders *l, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        peft_loader_free(l->train[k]);
        peft_loader_free(l->held[k]);
    }
    free(l->train);
    free(l->held);
    free(l->batch);
    free(l->sharing);
    free(l);
}

static peft_loader *held_loader(const training_run *base, const fold *part)
{
    peft_loader *loader;
    must(peft_loader_create(part->held, base->transform, "batch=1", &loader));
    return loader;
}

/* Makes the loaders, again if the candidates' batch is another. */
static void prepare_loaders(fold_trials *f, const flag *recipe)
{
    const int64_t count = f->folds->count;
    const char *batch = recipe[recipe_batch].value;
    if (f->loaders && !strcmp(f->loaders->batch, batch)) return;
    if (f->loaders) free_loaders(f->loaders, count);
    fold_loaders *l = f->loaders = check_alloc(calloc(1, sizeof *l));
    l->train = check_alloc(calloc((size_t)count, sizeof(peft_loader *)));
    l->held = check_alloc(calloc((size_t)count, sizeof(peft_loader *)));
    l->batch = check_alloc(strdup(batch));
    l->sharing = check_alloc(calloc((size_t)grid_size(f->candidates), 1));
    for (int64_t k = 0; k < count; k++) {
        l->train[k] = training_loader(f->base, recipe, f->folds->fold[k].train);
        l->held[k] = held_loader(f->base, &f->folds->fold[k]);
    }
}

/* Can the trainings of this candidate share the features of the frozen layers with others? Decided once a model. */
static bool shares_features(const fold_trials *f, int64_t candidate, const flag *recipe)
{
    char *known = &f->loaders->sharing[first_with_model(f->candidates, candidate)];
    if (*known == UNKNOWN)
        *known = features_can_be_shared(f->base, recipe, f->folds->fold[0].train, f->loaders->train[0]) ? YES : NO;
    return *known == YES;
}

static int stop_on_request(peft_trainer *t, void *user)
{
    (void)t, (void)user;
    return stop_requested;
}

static void end_if_stopped(void)
{
    if (stop_requested) fail("stopped while settings were chosen; the same command with --resume continues");
}

/* Writes the probabilities of the images held out to their rows of scores. */
static peft_status predict_held(const training_run *t, peft_loader *held, const fold *part, double *scores)
{
    peft_session *session;
    must(peft_session_create(t->model, NULL, &session));
    const peft_status status = predict_images(session, held, part->held, part->held_index, scores);
    peft_session_free(session);
    return status;
}

/* Trains up to this number of epochs, from an earlier round on where its state is there. With last the training is
 * over; otherwise the state is kept for the next round. */
static peft_status train_fold(const training_run *t, peft_batch_fn next, peft_loader *loader, const char *state,
                              int64_t epochs, bool last)
{
    if (!access(state, R_OK) && peft_trainer_restore(t->trainer, state))
        warn("%s: %s; this training begins anew", state, peft_last_error());
    const peft_status status = peft_trainer_fit(t->trainer, epochs, next, stop_on_request, loader);
    end_if_stopped();
    if (!status && !last) must(peft_trainer_save(t->trainer, state));
    return status;
}

trial judge_by_folds(int64_t candidate, double share, void *user)
{
    fold_trials *f = user;
    flag recipe[recipe_flags];
    const peft_dataset *all = f->base->train;
    const size_t cells = (size_t)(peft_dataset_count(all) * peft_dataset_classes(all));
    double *scores = check_alloc(calloc(cells, sizeof *scores));
    peft_status status = PEFT_OK;
    tune_recipe(f->candidates, candidate, f->recipe, recipe);
    prepare_loaders(f, recipe);
    const bool sharing = shares_features(f, candidate, recipe);
    if (sharing) {
        char *path = file_of(f->files, first_with_model(f->candidates, candidate), 0, "features");
        share_features(recipe, path);
        free(path);
    }
    for (int64_t k = 0; k < f->folds->count && !status; k++) {
        const fold *part = &f->folds->fold[k];
        peft_loader *loader = f->loaders->train[k];
        training_run t = training_with(f->base, recipe, part->train, loader);
        char *state = file_of(f->files, candidate, k, "state");
        status = train_fold(&t, sharing ? next_by_content : peft_loader_next, loader, state,
                            share_of_epochs(share, t.epochs), share >= 1);
        if (!status) status = predict_held(&t, f->loaders->held[k], part, scores);
        if (status != PEFT_E_NONFINITE) must(status);
        t.loader = NULL;
        free_training_beside(&t);
        free(state);
    }
    end_if_stopped();
    trial result = { .diverged = true, .value = NAN, .loss = NAN };
    if (!status) result = judge_out_of_fold(f->base->io_ctx, scores, all, f->figure);
    free_tuned(recipe);
    free(scores);
    return result;
}

void predict_by_training(const training_run *base, const flag *recipe, const fold *part, double *scores)
{
    training_run t = training_with(base, recipe, part->train, training_loader(base, recipe, part->train));
    peft_loader *held = held_loader(base, part);
    peft_status status = peft_trainer_fit(t.trainer, t.epochs, peft_loader_next, stop_on_request, t.loader);
    end_if_stopped();
    if (!status) status = predict_held(&t, held, part, scores);
    end_if_stopped();
    must(status);
    peft_loader_free(held);
    free_training_beside(&t);
}

void check_candidates(const fold_trials *f)
{
    for (int64_t c = 0; c < grid_size(f->candidates); c++) {
        flag recipe[recipe_flags];
        tune_recipe(f->candidates, c, f->recipe, recipe);
        const fold *part = &f->folds->fold[0];
        training_run t = training_with(f->base, recipe, part->train, training_loader(f->base, recipe, part->train));
        free_training_beside(&t);
        free_tuned(recipe);
    }
}

void remove_trial_files(const char *files, const grid *candidates, int64_t count)
{
    static const char *const endings[] = { "state", "features" };
    for (int64_t c = 0; c < grid_size(candidates); c++)
        for (int64_t k = 0; k < count; k++)
            for (int e = 0; e < 2; e++) {
                char *path = file_of(files, c, k, endings[e]);
                if (remove(path) && errno != ENOENT) fail("%s: cannot be removed: %s", path, strerror(errno));
                free(path);
            }
}

void end_fold_trials(fold_trials *f)
{
    if (f->loaders) free_loaders(f->loaders, f->folds->count);
    f->loaders = NULL;
    remove_trial_files(f->files, f->candidates, f->folds->count);
}
