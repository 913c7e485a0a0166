/* SPDX-License-Identifier: Apache-2.0
 * finetune.c -- adapts a pretrained backbone to a data set by one method, or in two stages (finetune/stages.h), writes
 * a model file for predict, and evaluates the model on held-out images. Checks files and options before training, and
 * saves the model before evaluating it. */
#include "common/data/data.h"
#include "common/files/output.h"
#include "common/model/evaluate.h"
#include "common/model/recipe.h"
#include "common/model/weights.h"
#include "common/program/clock.h"
#include "common/program/errors.h"
#include "common/program/flags.h"
#include "common/program/stop.h"
#include "finetune/stages.h"
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
    X(then, "METHOD", NULL, "a second stage: another method beside the first, both of which are trained then " \
      "(PT-PEFT: --method prefix --then lora)") \
    X(then_options, "LIST", NULL, "options of the second method") \
    X(then_epochs, "N", NULL, "epochs of the second stage; without it as many as --epochs") \
    X(prune, "LIST", NULL, "method e2vpt: percentages of tokens and pieces to leave out, 10-90 or 25,50,75; each " \
      "pair is tried, and the best on a fifth of the training images is trained again") \
    X(prune_score, "NAME", "signed", "importance of prompts: signed (the published code's), absolute (the paper's)") \
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
    const char *state;                                        /* path: --state or OUT.state; then that of stage 2 */
    char *state1, *state2;                                    /* the same, FILE and FILE.2; NULL: one stage */
    char *table;                                              /* path of the results of --prune */
    peft_dataset *all, *validation;                           /* --prune: training images and the fifth held out */
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

/* Is this a training in two stages? */
static bool staged(void) { return given[then].value || given[prune].value; }

static bool has_masks(const char *method)
{
    const peft_option *option;
    for (size_t i = 0; (option = peft_method_option(method, i)); i++)
        if (!strcmp(peft_option_name(option), "mask_tokens")) return true;
    return false;
}

static prune_search search_of(const run *r)
{
    return (prune_search){ .percentages = given[prune].value, .score = given[prune_score].value, .table = r->table,
                           .resume = given[resume].value, .validation = r->validation };
}

/* Checks the flags of stages, and sets the options of the masks that --prune trains. */
static void check_stages(void)
{
    flag *recipe = given + own_flags;
    if (!given[then].value && (given[then_options].value || given[then_epochs].value))
        fail("--%s: give --then METHOD too", given[then_options].value ? "then-options" : "then-epochs");
    if (!given[prune].value && given[prune_score].source != FROM_DEFAULT) fail("--prune-score: give --prune LIST too");
    if (given[then].value && given[prune].value) fail("--then and --prune: give one of them");
    if (given[then].value && !peft_method_summary(given[then].value))
        fail("--then %s: no method has this name; inspect --methods lists them", given[then].value);
    if (!given[prune].value) return;
    if (!has_masks(recipe[recipe_method].value))
        fail("--prune: method %s has no masks of prompts; expected --method e2vpt", recipe[recipe_method].value);
    const prune_search s = search_of(&(run){ 0 });
    check_search(&s);
    recipe[recipe_options].value = masked_options(recipe);
}

/* Paths of the second stage. Without --resume files of an earlier run are errors, or removed with --force. */
static void check_stage_files(run *r, const char *const *inputs, int count)
{
    r->state1 = check_alloc(strdup(r->state));
    if (asprintf(&r->state2, "%s.2", r->state) < 0 || asprintf(&r->table, "%s.prune.csv", given[out].value) < 0)
        fail("out of memory");
    const bool replace = given[resume].value || given[force].value;
    check_output("state", r->state2, replace, inputs, count);
    if (given[prune].value) check_output("prune", r->table, replace, inputs, count);
    if (!given[resume].value) remove(r->state2);
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
    if (staged()) check_stage_files(r, others, 4);
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
    /* the second stage begins where this many epochs end: another number would need another second stage */
    const char *epochs = given[own_flags + recipe_epochs].value;
    if (staged()) must(peft_trainer_set_note(r->t.trainer, "first_stage_epochs", epochs));
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

/* Saves the state of the first stage, from which --resume and the second one begin. */
static void save_first_stage(run *r)
{
    must(peft_trainer_save(r->t.trainer, r->state1));
}

/* Trains the second stage, whose objects are ready, or what is left of it. */
static void train_second_stage(run *r)
{
    r->state = r->state2;
    r->updates_in_epoch = 0;
    r->loss_sum = 0;
    add_state_notes(r);
    if (given[resume].value && !access(r->state, R_OK)) resume_training(r);
    train_model(r);
}

/* --then: another method beside the first. */
static void add_method(run *r)
{
    flag recipe[recipe_flags];
    print_effective_rank(&r->t, r->test, "after the first stage");
    save_first_stage(r);
    copy_recipe(recipe, given + own_flags, given[then].value, given[then_options].value, given[then_epochs].value);
    begin_next_stage(&r->t, recipe, r->state1);
    printf("second stage: %s beside %s, %lld epochs\n", given[then].value, given[own_flags + recipe_method].value,
           (long long)r->t.epochs);
    fflush(stdout);
    train_second_stage(r);
    print_effective_rank(&r->t, r->test, "after the second stage");
}

/* --prune: the best pruned adapter, trained on all training images. */
static void train_pruned(run *r)
{
    const prune_search s = search_of(r);
    training_run masked = r->t;
    save_first_stage(r);
    peft_adapter *adapter = search_pruned(&masked, given + own_flags, &s);
    r->t = training_beside(&masked, given + own_flags, r->all, adapter);
    peft_adapter_free(adapter);
    free_training_beside(&masked);
    peft_dataset_free(masked.train);
    peft_dataset_free(r->validation);
    r->images = peft_dataset_count(r->t.train);
    r->batches = peft_loader_batches(r->t.loader);
    add_notes(r);
    train_second_stage(r);
}

/* Removes training states at paths that the user did not choose. */
static void remove_states(const run *r)
{
    if (given[state].value || (!given[resume].value && !staged())) return;
    remove(staged() ? r->state1 : r->state);
    if (staged()) remove(r->state2);
}

/* --prune: holds back a fifth of every class of the training images. */
static void hold_out_validation(run *r)
{
    const double train_fraction = 0.8;
    r->all = r->t.train;
    must(peft_dataset_split(r->all, train_fraction, r->t.seed, &r->t.train, &r->validation));
    printf("validation: %lld of the training images, by which the pruned prompts are chosen\n",
           (long long)peft_dataset_count(r->validation));
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
    if (given[prune].value) hold_out_validation(&r);
    build_training(&r.t, given + own_flags);
    printf("preprocessing (%s): %s\n", r.t.transform_origin, peft_transform_text(r.t.transform));
    r.images = peft_dataset_count(r.t.train);
    r.batches = peft_loader_batches(r.t.loader);
    add_notes(&r);
    if (given[then].value) print_effective_rank(&r.t, r.test, "before training");
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
    check_stages();
    watch_signals();
    run r = prepare();
    train_model(&r);
    if (given[then].value) add_method(&r);
    if (given[prune].value) train_pruned(&r);
    write_model(&r);
    remove_states(&r);
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
