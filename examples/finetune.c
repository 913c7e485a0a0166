/* SPDX-License-Identifier: Apache-2.0
 * finetune.c -- trains one method on a data set, writes a model file for predict, and judges it on held-out images.
 * Whatever can be checked is checked before training, and the model is saved before it is judged. */
#include "common/data/data.h"
#include "common/files/output.h"
#include "common/model/judge.h"
#include "common/model/recipe.h"
#include "common/model/weights.h"
#include "common/program/clock.h"
#include "common/program/errors.h"
#include "common/program/flags.h"
#include "common/program/stop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "pretrained Vision Transformer: safetensors, a folder with one, Google's .npz; needed") \
    X(data, "PATH", NULL, "folder of class folders, .zip of one, MedMNIST .npz, or list file; needed") \
    X(test, "PATH", NULL, "test images; else the split \"test\" (or \"val\") of --data, else what training leaves") \
    X(shots, "N", "0", "training images a class, drawn by the seed (0: all)") \
    X(test_per_class, "N", "0", "test images a class, drawn by the seed (0: all)") \
    X(seed, "N", "1", "of the draw, the initial values and the order") \
    X(threads, "N", "0", "0: all cores") \
    X(state, "FILE", NULL, "training state, written after each epoch; else OUT.state, and only when stopped") \
    X(resume, NULL, NULL, "go on from the state; with more --epochs also after the end") \
    X(out, "FILE", "adapter.safetensors", "the trained model: adapter, head, preprocessing, class names") \
    X(force, NULL, NULL, "write over --out and --state where they exist") \
    X(unchecked, NULL, NULL, "do not decode every picture before training")
enum { FLAGS(FLAG_ID) own_flags, flags = own_flags + recipe_flags };
static flag given[] = { FLAGS(FLAG_ROW) RECIPE_FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH --data PATH [options]",
    "Adapts a pretrained Vision Transformer to labelled images by one method of parameter-efficient fine-tuning,\n"
    "saves the trained model, and judges it on held-out images. Methods: inspect --methods; which one: docs/choosing.md.",
    "  finetune --backbone deit_tiny_patch16_224.safetensors --data scans --method lora --out scans.safetensors\n"
    "  predict --backbone deit_tiny_patch16_224.safetensors --model scans.safetensors new/*.png" };

typedef struct run {
    trial t;
    peft_dataset *test;
    const char *state;                                        /* path: --state or OUT.state */
    char *written;                                            /* path of the model, --out where that could be written */
    int64_t images, batches;                                  /* in an epoch */
    int64_t trained_on;                                       /* test images that are also training images */
    bool bar;
    int64_t steps, epoch_steps;                               /* of this run, of this epoch in this run */
    double start, epoch_start, epoch_loss;
} run;

static int64_t next_batch(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                          void *user)
{
    return peft_loader_next(epoch, batch, images, labels, ids, ((run *)user)->t.loader);
}

/* A full disk in the middle of the night costs the state of this epoch, not the training. */
static void save_state(const peft_trainer *t, const char *path)
{
    if (peft_trainer_save(t, path))
        warn("the training state could not be saved, training goes on: %s (%s)", path, peft_last_error());
}

/* Where training stands is told by the samples seen: the epoch's last update may come after its last batch. */
static int show_progress(peft_trainer *t, void *user)
{
    run *r = user;
    int64_t seen = (int64_t)peft_trainer_get(t, "samples") - 1, epoch = seen / r->images + 1;
    int64_t b = seen % r->images / peft_loader_batch_size(r->t.loader) + 1;
    double loss_now = peft_trainer_get(t, "loss");
    r->steps++;
    r->epoch_steps++;
    r->epoch_loss += loss_now;
    if (r->bar)
        fprintf(stderr, "\r[%-30.*s] epoch %lld/%lld, loss %.4f ", (int)(30 * b / r->batches),
                "##############################", (long long)epoch, (long long)r->t.epochs, loss_now);
    if (b < r->batches) return stop_requested;
    if (r->bar) fprintf(stderr, "\r%70s\r", "");
    printf("epoch %lld/%lld  loss %.5f  lr %.3e  %.2f s\n", (long long)epoch, (long long)r->t.epochs,
           r->epoch_loss / (double)r->epoch_steps, peft_trainer_get(t, "lr"), seconds_now() - r->epoch_start);
    fflush(stdout);
    r->epoch_steps = 0;
    r->epoch_loss = 0;
    r->epoch_start = seconds_now();
    if (given[state].value) save_state(t, r->state);
    return stop_requested;
}

static peft_status save_trainer(const void *t, const char *path) { return peft_trainer_save(t, path); }

static void train_model(run *r)
{
    r->start = r->epoch_start = seconds_now();
    peft_status s = peft_trainer_fit(r->t.trainer, r->t.epochs, next_batch, show_progress, r);
    if (!s) return;
    char *why = need(strdup(peft_last_error()));
    if (r->bar) fputc('\n', stderr);
    if (s == PEFT_E_NONFINITE)
        fail("%s (%s); the model is not saved. A smaller --lr or --clip-norm 1 is the usual cure", why,
             peft_status_name(s));
    const char *path = save_somewhere("state", r->state, true, save_trainer, r->t.trainer);
    const char *how = strcmp(path, r->state) ? "--resume and --state" : "--resume goes on from";
    if (stop_requested)
        fail("stopped after step %.0f; the same command with %s %s", peft_trainer_get(r->t.trainer, "step"), how, path);
    fail("%s (%s); the same command with %s %s", why, peft_status_name(s), how, path);
}

static peft_status save_model(const void *m, const char *path) { return peft_model_save(m, path); }

static void write_model(run *r)
{
    r->written = save_somewhere("out", given[out].value, given[force].value, save_model, r->t.model);
    printf("%-22s %s\n", "written", r->written);
}

static void report(run *r)
{
    const double mib = 1024.0 * 1024.0;
    double seconds = (seconds_now() - r->start) / (double)(r->steps ? r->steps : 1);
    size_t peak = peft_context_memory_peak(r->t.ctx);
    peft_session *s;
    must(peft_session_create(r->t.model, NULL, &s));
    double *scores = predict_set(r->t.ctx, s, r->test, r->t.transform);
    if (!scores) fail("stopped while judging; the model is saved in %s", r->written);
    print_figures(r->t.ctx, scores, r->test);
    if (r->trained_on) printf("%-22s %lld of the test images: the figures are too good\n", "trained_on",
                              (long long)r->trained_on);
    printf("%-22s %lld\n", "trainable_parameters", (long long)peft_model_trainable_count(r->t.model));
    printf("%-22s %.4f\n", "seconds_per_step", seconds);
    printf("%-22s %.2f\n", "planned_mib", r->t.planned / mib);
    printf("%-22s %.2f\n", "peak_mib", (double)peak / mib);
    peft_session_free(s);
    free(scores);
}

static void add_notes(run *r)
{
    char *names = class_names(r->t.train);
    must(peft_model_set_note(r->t.model, "preprocess", peft_transform_text(r->t.transform)));
    must(peft_model_set_note(r->t.model, "class_names", names));
    must(peft_model_set_note(r->t.model, "link", peft_dataset_multilabel(r->t.train) ? "sigmoid" : "softmax"));
    free(names);
}

static void check_files(run *r)
{
    const char *const inputs[] = { given[backbone].value, given[data].value, given[test].value };
    const char *const others[] = { given[backbone].value, given[data].value, given[test].value, given[out].value };
    char *beside;
    if (asprintf(&beside, "%s.state", given[out].value) < 0) fail("out of memory");
    r->state = given[state].value ? given[state].value : beside;
    check_output("out", given[out].value, given[force].value, inputs, 3);
    if (given[resume].value && access(r->state, R_OK))
        fail("--resume: there is no state %s to go on from; leave --resume out to begin anew", r->state);
    if (!given[resume].value && !given[force].value && !access(r->state, F_OK))
        fail("--state %s: exists already; --resume goes on from it, --force begins anew and writes over it", r->state);
    check_output("state", r->state, true, others, 4);
}

/* The state says what it was trained on: other images would make training images out of those that are held out. */
static void add_state_notes(run *r)
{
    char digest[65];
    must(peft_dataset_digest(r->t.train, digest));
    must(peft_trainer_set_note(r->t.trainer, "data", digest));
    must(peft_trainer_set_note(r->t.trainer, "preprocess", peft_transform_text(r->t.transform)));
    must(peft_trainer_set_note(r->t.trainer, "seed", given[seed].value));
}

static void go_on(run *r)
{
    const peft_status s = peft_trainer_restore(r->t.trainer, r->state);
    if (s == PEFT_E_MISMATCH)
        fail("--resume: %s; give the --data, --seed, --shots, --preprocess and training options that the state was "
             "made with, or begin anew without --resume", peft_last_error());
    must(s);
    printf("going on from %s, step %.0f\n", r->state, peft_trainer_get(r->t.trainer, "step"));
}

/* All that can go wrong later, before the first step. */
static void check_all(run *r)
{
    if (!given[unchecked].value)
        check_pictures((const peft_dataset *const[]){ r->t.train, r->test }, 2, r->t.transform, r->t.threads);
    rehearse_output("out", given[out].value, save_model, r->t.model);
    if (stop_requested) fail("stopped before training");
    add_state_notes(r);
    if (given[resume].value) go_on(r);
    fflush(stdout);
}

static run prepare(void)
{
    run r = { .bar = isatty(STDERR_FILENO) };
    r.t = (trial){ .backbone = given[backbone].value, .seed = (uint64_t)flag_count(&given[seed]),
                   .threads = (int)flag_count(&given[threads]), .loader_threads = 1 };
    check_files(&r);
    check_backbone(given[backbone].value);
    must(peft_context_create(NULL, NULL, NULL, &r.t.images));
    const char *held = draw_sets(r.t.images, given[data].value, given[test].value, flag_count(&given[shots]),
                                 flag_count(&given[test_per_class]), r.t.seed, &r.t.train, &r.test);
    print_sets(r.t.train, r.test, held);
    r.trained_on = check_overlap(r.t.train, r.test);
    build_trial(&r.t, given + own_flags);
    printf("preprocessing (%s): %s\n", r.t.described, peft_transform_text(r.t.transform));
    r.images = peft_dataset_count(r.t.train);
    r.batches = peft_loader_batches(r.t.loader);
    add_notes(&r);
    check_all(&r);
    return r;
}

int main(int argc, char **argv)
{
    program_name = "finetune";
    int first = read_flags(given, flags, &about, argc, argv);
    if (first < argc) fail("'%s' is no option; see --help", argv[first]);
    if (!given[backbone].value || !given[data].value) fail("--backbone and --data are needed; see --help");
    settle_recipe(given + own_flags);
    watch_signals();
    run r = prepare();
    train_model(&r);
    write_model(&r);
    if (!given[state].value && given[resume].value) remove(r.state);
    report(&r);
    if (strcmp(r.written, given[out].value))
        fail("the model is saved as %s and not as --out %s", r.written, given[out].value);
    free(r.written);
    free_trial(&r.t);
    peft_dataset_free(r.t.train);
    peft_context_free(r.t.images);
    peft_dataset_free(r.test);
    return 0;
}
