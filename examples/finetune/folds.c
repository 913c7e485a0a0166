/* SPDX-License-Identifier: Apache-2.0
 * folds.c -- --val folds=K: a training for each fold of the training images, judged on it, and the number of epochs of
 * the training on all images (run.h). */
#include "run.h"
#include "common/folds/fold_scores.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "common/record/record.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a fold's training depends on beside the images: the library's version and kernels, the backbone's values, the
 * preprocessing, and every flag but those of files and threads. */
static char *settings_text(const run *r)
{
    static const int left_out[] = { out, state, resume, force, unchecked, threads, test, test_per_class };
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    for (int i = 0; i < flags; i++) {
        size_t k = 0;
        while (k < sizeof left_out / sizeof *left_out && left_out[k] != i) k++;
        if (k == sizeof left_out / sizeof *left_out && given[i].value)
            fprintf(f, "%s=%s\n", given[i].name, given[i].value);
    }
    fprintf(f, "libpeft=%s isa=%s backbone=%.64s %s", peft_version_string(), peft_context_isa(r->t.ctx),
            peft_backbone_fingerprint(r->t.vit), peft_transform_text(r->t.transform));
    if (fclose(f)) fail("out of memory");
    return text;
}

/* Prints the figures of the predictions of all folds, and makes the record's part of them. */
static void judge_folds(run *r, const double *scores)
{
    const figure_intervals intervals = estimate_figures(r->t.ctx, scores, r->t.train);
    json_buffer part;
    printf("out of fold: %lld images, each predicted by a training that held it out; 95 %% bootstrap intervals by "
           "%s\n", (long long)peft_dataset_count(r->t.train),
           peft_dataset_has_groups(r->t.train) ? "patients" : "images");
    print_intervals(&intervals, r->t.train);
    open_json(&part);
    record_figures_of_folds(&part.w, NULL, r->t.ctx, scores, r->t.train, &intervals);
    r->fold_figures = close_json(&part);
}

/* Trains on all folds but one and scores the images of that one. */
static void train_fold(const run *r, const fold *f, int64_t k, fold_scores *s)
{
    const flag *recipe = given + own_flags;
    run part = *r;
    part.state = part.state1 = part.state2 = NULL;            /* a fold that is stopped begins anew */
    part.validation = f->held;
    part.validated = true;
    part.updates_in_epoch = 0;
    part.loss_sum = 0;
    part.t = training_with(&r->t, recipe, f->train, training_loader(&r->t, recipe, f->train));
    part.images = peft_dataset_count(f->train);
    part.batches = peft_loader_batches(part.t.loader);
    printf("fold %lld of %lld: %lld images, %lld held out\n", (long long)k + 1, (long long)s->folds,
           (long long)part.images, (long long)peft_dataset_count(f->held));
    train_model(&part);
    if (!part.validation_scores)
        fail("stopped in fold %lld; the same command with --resume trains it again", (long long)k + 1);
    set_fold_scores(s, k, f, part.validation_scores, part.best_epoch ? part.best_epoch : part.last_epoch);
    free(part.validation_scores);
    free_training_beside(&part.t);
}

void cross_validate(run *r)
{
    const int64_t count = parse_validation(given[val].value).folds;
    char *settings = settings_text(r), *path = folds_path(r);
    folds f = make_folds(r->t.train, count, r->t.seed, "val folds");
    fold_scores s = new_fold_scores(r->t.train, count, settings);
    if (given[resume].value) read_fold_scores(&s, path, r->t.epochs);
    for (int64_t k = 0; k < count; k++) {
        if (s.epoch[k]) continue;
        train_fold(r, &f.fold[k], k, &s);
        write_fold_scores(&s, path);
    }
    judge_folds(r, s.scores);
    r->epochs = median_epoch(&s);
    r->fold_epoch = r->epochs;
    printf("training on all %lld images: %lld epoch%s, the median of the folds'%s; no image judges it but those of the "
           "test\n", (long long)peft_dataset_count(r->t.train), (long long)r->epochs, r->epochs == 1 ? "" : "s",
           given[stop].value ? " best ones" : "");
    fflush(stdout);
    r->out_of_fold = s.scores;
    s.scores = NULL;
    free_fold_scores(&s);
    free_folds(&f);
    free(settings);
    free(path);
}
