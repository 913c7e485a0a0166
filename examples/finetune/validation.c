/* SPDX-License-Identifier: Apache-2.0
 * validation.c -- the validation images of a run: each epoch is judged by them, and with --stop the best one is kept
 * (run.h). */
#include "run.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include "common/segment/mask_sets.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *best_path(const char *state)
{
    char *path;
    if (asprintf(&path, "%s.best", state) < 0) fail("out of memory");
    return path;
}

char *folds_path(const run *r)
{
    char *path;
    if (asprintf(&path, "%s.folds", r->state1) < 0) fail("out of memory");
    return path;
}

void check_validation_flags(void)
{
    if (given[patience].source != FROM_DEFAULT && !given[stop].value)
        fail("--patience: give --stop FIGURE too, by which epochs are compared");
    if (given[stop].value && given[prune].value)
        fail("--stop: cannot be combined with --prune, whose candidates are trained for all --epochs; leave one out "
             "(--val alone gives --prune its validation images)");
    (void)flag_integer(&given[patience]);
    if (!in_folds()) return;
    if (staged()) fail("--val folds: cannot be combined with --%s; give a share of the images, --val 0.2",
                       given[then].value ? "then" : "prune");
    if (given[model].value)
        fail("--val folds: trains new adapters, and --model begins with a trained one; give --val 0.2");
}

/* The flag by which the validation images choose something of the model; NULL: they judge only. */
static const char *choosing_flag(void)
{
    const char *rule = given[threshold].value;
    if (rule && parse_threshold_rule(rule).name) return "threshold";
    return given[stop].value ? "stop" : given[conformal].value ? "conformal" : given[prune].value ? "prune" : NULL;
}

void open_validation(run *r, const data_request *q, const char *test_origin)
{
    validation_request v = parse_validation(given[val].value);
    v.chooses = choosing_flag();
    if (!validates()) return;
    r->figure = given[masks].value ? map_figure(given[stop].value, "stop")
                                   : find_figure(given[stop].value, peft_dataset_multilabel(r->t.train), "stop");
    if (in_folds()) return;
    r->validated = true;
    r->validation = draw_validation(r->t.io_ctx, q, &v, test_origin, &r->t.train, r->test, &r->validation_source);
}

/* The last epoch that was offered to r->best, which gets every one, from 1 on. */
static int64_t last_offered(const run *r)
{
    const int64_t best = peft_early_stop_best_epoch(r->best);
    return (best < 0 ? 0 : best) + peft_early_stop_waited(r->best);
}

static bool waited_enough(const run *r)
{
    const int64_t limit = flag_integer(&given[patience]);
    return limit && peft_early_stop_waited(r->best) >= limit;
}

/* Takes up the best values of an interrupted training, which was stopped after, or while, judging its last epoch. */
static void resume_best(run *r)
{
    char *path = best_path(r->state);
    if (access(path, R_OK))
        fail("--resume: the best values so far, %s, are not beside the state; train from the beginning without "
             "--resume", path);
    must(peft_early_stop_load(r->best, path));
    const int64_t last = last_offered(r);
    const bool at_its_end = (int64_t)peft_trainer_get(r->t.trainer, "samples") % r->images == 0;
    if (last == r->last_epoch - 1 && at_its_end) r->ended = judge_epoch(r, r->last_epoch);
    else if (last < r->last_epoch)
        fail("--resume: the best values so far, %s, are those of %lld epochs, and the state %s has %lld; train from "
             "the beginning without --resume", path, (long long)last, r->state, (long long)r->last_epoch);
    else r->ended = waited_enough(r) && last == r->last_epoch;
    free(path);
}

void begin_validation(run *r)
{
    r->validator = make_validator(&r->t, r->validation, spacing_of_flag(given[spacing].value));
    if (!given[stop].value) return;
    char text[80];
    peft_options *o;
    snprintf(text, sizeof text, "goal=%s,patience=%lld", smaller_is_better(r->figure) ? "min" : "max",
             (long long)flag_integer(&given[patience]));
    must(peft_options_create(r->t.ctx, &o));
    must(peft_options_parse(o, text));
    must(peft_early_stop_create(r->t.model, o, &r->best));
    peft_options_free(o);
    if (r->last_epoch || r->resumed_samples) resume_best(r);
}

bool judge_epoch(run *r, int64_t epoch)
{
    if (r->best && epoch <= last_offered(r)) return waited_enough(r);         /* before the training was killed */
    const double *scores = validate(r->validator);
    int end = 0;
    if (!scores) return false;                                /* stop_requested: --resume judges this epoch */
    const double value = figure_of(r->figure, r->t.ctx, scores, r->validation);
    if (r->best) must(peft_early_stop_offer(r->best, epoch, value, &end));
    printf("  validation  %s %.5f", figure_name(r->figure), value);
    if (!smaller_is_better(r->figure) && !given[masks].value)
        printf("  loss %.5f", figure_of(find_figure("loss", peft_dataset_multilabel(r->validation), "stop"), r->t.ctx,
                                        scores, r->validation));
    printf("%s\n", r->best && peft_early_stop_best_epoch(r->best) == epoch ? "  best so far" : "");
    fflush(stdout);
    return end;
}

void save_best(const run *r)
{
    if (!r->best || !r->state) return;
    char *path = best_path(r->state);
    if (peft_early_stop_save(r->best, path))
        warn("the best values so far could not be saved: %s (%s)", path, peft_last_error());
    free(path);
}

/* Gives the model its best values. */
static void restore_best(run *r)
{
    const char *name = figure_name(r->figure);
    r->best_epoch = 0;
    if (peft_early_stop_best_epoch(r->best) < 0) {
        warn("--stop %s: it was undefined after every epoch, as for validation images of one class; the model keeps "
             "the values of the last epoch", name);
        return;
    }
    must(peft_early_stop_restore(r->best));
    r->best_epoch = peft_early_stop_best_epoch(r->best);
    r->best_figure = peft_early_stop_best_figure(r->best);
    printf("best epoch: %lld of %lld that were trained%s, by %s %.5f of the validation images%s\n",
           (long long)r->best_epoch, (long long)r->last_epoch,
           r->ended ? " (--patience ended the training)" : "", name, r->best_figure,
           r->state ? "; the model has its values" : "");     /* no state: a training of a fold, which is not saved */
}

void end_validation(run *r)
{
    if (r->best) restore_best(r);
    free_case_figures(&r->validation_cases);
    if (given[masks].value) {
        r->validation_cases = validate_cases(r->validator);
    } else {
        const double *scores = validate(r->validator);
        const size_t bytes = (size_t)(peft_dataset_count(r->validation) * label_classes(r->validation)) *
                             sizeof *scores;
        free(r->validation_scores);
        r->validation_scores = scores ? memcpy(check_alloc(malloc(bytes)), scores, bytes) : NULL;
    }
    if (staged()) save_best(r);                               /* the first stage may be taken up again */
    peft_early_stop_free(r->best);
    free_validator(r->validator);
    r->best = NULL;
    r->validator = NULL;
    fflush(stdout);
}
