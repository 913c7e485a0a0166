/* SPDX-License-Identifier: Apache-2.0
 * finetune.c -- adapts a pretrained backbone to a data set by one method, writes a model file for predict, and
 * evaluates the model on held-out images. Checks files and options before training, and saves the model before
 * evaluating it. */
#include "common/data/data.h"
#include "common/files/output.h"
#include "common/model/evaluate.h"
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
    X(backbone, "PATH", NULL, "required: pretrained Vision Transformer, a safetensors file, a folder that holds " \
      "model.safetensors, or a .npz file of Google's ViT") \
    DATA_FLAGS(X) \
    X(shots, "N", "0", "training images per class, drawn at random by --seed (0: all)") \
    X(test_per_class, "N", "0", "test images per class, drawn at random by --seed (0: all)") \
    X(seed, "N", "1", "seed of the draw of images, the initial values and the order of images") \
    X(threads, "N", "0", "number of threads (0: one for each core)") \
    X(state, "FILE", NULL, "save the training state here after each epoch; without it in OUT.state, and only when " \
      "training is stopped") \
    X(resume, NULL, NULL, "continue from the training state; after the last epoch, give more --epochs") \
    X(out, "FILE", "adapter.safetensors", "file for the trained model: adapter, head, preprocessing, class names") \
    X(force, NULL, NULL, "overwrite --out and --state if they exist") \
    X(unchecked, NULL, NULL, "do not decode every picture before training to find broken ones")
enum { FLAGS(FLAG_ID) own_flags, flags = own_flags + recipe_flags };
static flag given[] = { FLAGS(FLAG_ROW) RECIPE_FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH --data PATH [options]",
    "Adapts a pretrained Vision Transformer to labelled images by one method of parameter-efficient fine-tuning,\n"
    "saves the trained model, and evaluates it on held-out test images (sensitivity, specificity, AUROC, ...).\n"
    "inspect --methods lists the methods; docs/advice.md helps to choose one.",
    "  finetune --backbone deit_tiny_patch16_224.safetensors --data scans --method lora --out scans.safetensors\n"
    "  predict --backbone deit_tiny_patch16_224.safetensors --model scans.safetensors new/*.png" };

typedef struct run {
    training_run t;
    peft_dataset *test;
    const char *state;                                        /* path: --state or OUT.state */
    char *written;                                            /* path of the saved model: --out, or a fallback */
    int64_t images, batches;                                  /* in an epoch */
    int64_t images_in_both;                                   /* number of test images that are also training images */
    bool bar;                                                 /* show a progress bar on the terminal */
    int64_t updates, updates_in_epoch;                        /* since the program started; in this epoch */
    double start, epoch_start;                                /* times of seconds_now() */
    double loss_sum;                                          /* over the updates in this epoch */
} run;

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

/* Called after each update: draws the bar, and at the end of an epoch prints a line and saves the state. Computes epoch
 * and batch from the number of samples seen, since with gradient accumulation an update has several batches. A result
 * other than 0 stops the training. */
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
    if (r->bar)
        fprintf(stderr, "\r[%-30.*s] epoch %lld/%lld, loss %.4f ", (int)(30 * batch_number / r->batches),
                "##############################", (long long)epoch, (long long)r->t.epochs, loss_now);
    if (batch_number < r->batches) return stop_requested;
    if (r->bar) fprintf(stderr, "\r%70s\r", "");
    printf("epoch %lld/%lld  loss %.5f  lr %.3e  %.2f s\n", (long long)epoch, (long long)r->t.epochs,
           r->loss_sum / (double)r->updates_in_epoch, peft_trainer_get(t, "lr"), seconds_now() - r->epoch_start);
    fflush(stdout);
    r->updates_in_epoch = 0;
    r->loss_sum = 0;
    r->epoch_start = seconds_now();
    if (given[state].value) save_state(t, r->state);
    return stop_requested;
}

static peft_status save_trainer(const void *t, const char *path) { return peft_trainer_save(t, path); }

/* Trains all epochs. If training stops early, saves the training state and fails with the way to continue. */
static void train_model(run *r)
{
    r->start = r->epoch_start = seconds_now();
    peft_status s = peft_trainer_fit(r->t.trainer, r->t.epochs, next_batch, after_update, r);
    if (!s) return;
    char *error = check_alloc(strdup(peft_last_error()));
    if (r->bar) fputc('\n', stderr);
    if (s == PEFT_E_NONFINITE)
        fail("%s (%s); the model is not saved. Usually a smaller --lr or --clip-norm 1 helps", error,
             peft_status_name(s));
    const bool replace = true;                                /* check_files has made sure that it may be */
    const char *path = save_or_fallback("state", r->state, replace, save_trainer, r->t.trainer);
    char *hint;
    const char *format = strcmp(path, r->state) ? "--resume --state %s continues" : "--resume continues from %s";
    if (asprintf(&hint, format, path) < 0) fail("out of memory");
    if (stop_requested)
        fail("stopped after step %.0f; the same command with %s", peft_trainer_get(r->t.trainer, "step"), hint);
    fail("%s (%s); the same command with %s", error, peft_status_name(s), hint);
}

static peft_status save_model(const void *m, const char *path) { return peft_model_save(m, path); }

static void write_model(run *r)
{
    r->written = save_or_fallback("out", given[out].value, given[force].value, save_model, r->t.model);
    printf("%-22s %s\n", "written", r->written);
}

/* Prints the metrics on the test images, and figures of time and memory. */
static void evaluate(run *r)
{
    const double mib = 1024.0 * 1024.0;
    double seconds = (seconds_now() - r->start) / (double)(r->updates ? r->updates : 1);
    size_t peak = peft_context_memory_peak(r->t.ctx);
    peft_session *s;
    must(peft_session_create(r->t.model, NULL, &s));
    double *scores = predict_set(r->t.ctx, s, r->test, r->t.transform);
    if (!scores) fail("stopped during the evaluation; the model is saved in %s", r->written);
    print_metrics(r->t.ctx, scores, r->test);
    if (r->images_in_both) printf("%-22s %lld of the test images: the metrics are too good\n", "trained_on",
                                  (long long)r->images_in_both);
    printf("%-22s %lld\n", "trainable_parameters", (long long)peft_model_trainable_count(r->t.model));
    printf("%-22s %.4f\n", "seconds_per_step", seconds);
    printf("%-22s %.2f\n", "planned_mib", r->t.planned_bytes / mib);
    printf("%-22s %.2f\n", "peak_mib", (double)peak / mib);
    peft_session_free(s);
    free(scores);
}

/* Stores with the model what predict needs: preprocessing, class names, and softmax or sigmoid. */
static void add_notes(run *r)
{
    char *names = class_names(r->t.train);
    must(peft_model_set_note(r->t.model, "preprocess", peft_transform_text(r->t.transform)));
    must(peft_model_set_note(r->t.model, "class_names", names));
    must(peft_model_set_note(r->t.model, "link", peft_dataset_multilabel(r->t.train) ? "sigmoid" : "softmax"));
    free(names);
}

/* Checks the paths of --out and of the training state before anything is read. */
static void check_files(run *r)
{
    const char *const inputs[] = { given[backbone].value, given[data].value, given[test].value };
    const char *const others[] = { given[backbone].value, given[data].value, given[test].value, given[out].value };
    char *default_state;
    if (asprintf(&default_state, "%s.state", given[out].value) < 0) fail("out of memory");
    r->state = given[state].value ? given[state].value : default_state;
    check_output("out", given[out].value, given[force].value, inputs, 3);
    if (given[resume].value && access(r->state, R_OK))
        fail("--resume: there is no training state %s to continue from; give --state FILE, or leave --resume out to "
             "train from the beginning", r->state);
    if (!given[resume].value && !given[force].value && !access(r->state, F_OK))
        fail("--state %s: exists already; give --resume to continue from it, or --force to train from the beginning "
             "and overwrite it", r->state);
    const bool replace = true;                                /* --resume or --force is given if the state exists */
    check_output("state", r->state, replace, others, 4);
}

/* Stores the training images' digest, the preprocessing and the seed in the training state. --resume compares them,
 * since with other data or another seed the test images might have been trained on. */
static void add_state_notes(run *r)
{
    char digest[65];
    must(peft_dataset_digest(r->t.train, digest));
    must(peft_trainer_set_note(r->t.trainer, "data", digest));
    must(peft_trainer_set_note(r->t.trainer, "preprocess", peft_transform_text(r->t.transform)));
    must(peft_trainer_set_note(r->t.trainer, "seed", given[seed].value));
}

static void resume_training(run *r)
{
    const peft_status s = peft_trainer_restore(r->t.trainer, r->state);
    if (s == PEFT_E_MISMATCH)
        fail("--resume: %s; give the --data, --seed, --shots, --preprocess and training options that the state was "
             "made with, or train from the beginning without --resume", peft_last_error());
    must(s);
    printf("continuing from %s, step %.0f\n", r->state, peft_trainer_get(r->t.trainer, "step"));
}

/* The last steps before training: finds broken pictures, checks that --out can be written, and reads the state to
 * resume from. */
static void check_before_training(run *r)
{
    if (!given[unchecked].value)
        check_pictures((const peft_dataset *const[]){ r->t.train, r->test }, 2, r->t.transform, r->t.threads);
    try_saving("out", given[out].value, save_model, r->t.model);
    if (stop_requested) fail("stopped before training");
    add_state_notes(r);
    if (given[resume].value) resume_training(r);
    fflush(stdout);
}

/* Opens the images and makes all objects that training needs. */
static run prepare(void)
{
    run r = { .bar = isatty(STDERR_FILENO) };
    r.t = (training_run){ .backbone = given[backbone].value, .seed = (uint64_t)flag_integer(&given[seed]),
                          .threads = (int)flag_integer(&given[threads]), .loader_threads = 1 };
    check_files(&r);
    check_backbone(given[backbone].value);
    must(peft_context_create(NULL, NULL, NULL, &r.t.io_ctx));
    const char *test_origin = draw_sets(r.t.io_ctx, given[data].value, given[test].value, flag_integer(&given[shots]),
                                        flag_integer(&given[test_per_class]), r.t.seed, &r.t.train, &r.test);
    print_sets(r.t.train, r.test, test_origin);
    r.images_in_both = check_overlap(r.t.train, r.test);
    build_training(&r.t, given + own_flags);
    printf("preprocessing (%s): %s\n", r.t.transform_origin, peft_transform_text(r.t.transform));
    r.images = peft_dataset_count(r.t.train);
    r.batches = peft_loader_batches(r.t.loader);
    add_notes(&r);
    check_before_training(&r);
    return r;
}

int main(int argc, char **argv)
{
    program_name = "finetune";
    int first = read_flags(given, flags, &about, argc, argv);
    if (first < argc) fail("'%s' is not an option; expected --name value, see --help", argv[first]);
    if (!given[backbone].value || !given[data].value) fail("--backbone and --data are required; see --help");
    resolve_recipe(given + own_flags);
    watch_signals();
    run r = prepare();
    train_model(&r);
    write_model(&r);
    if (!given[state].value && given[resume].value) remove(r.state);      /* the default state of the stopped run */
    evaluate(&r);
    if (strcmp(r.written, given[out].value))
        fail("the model was saved as %s because --out %s could not be written", r.written, given[out].value);
    free(r.written);
    free_training(&r.t);
    peft_dataset_free(r.t.train);
    peft_context_free(r.t.io_ctx);
    peft_dataset_free(r.test);
    return 0;
}
