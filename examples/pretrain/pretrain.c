/* SPDX-License-Identifier: Apache-2.0
 * pretrain.c -- trains a Vision Transformer from random weights on labelled images. When it is stopped, the same
 * command continues from the checkpoint. */
#include "accuracy.h"
#include "common/data/data.h"
#include "common/data/preprocess.h"
#include "common/files/output.h"
#include "common/backbone/weights.h"
#include "common/outputs/input_files.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include "common/program/verbose.h"
#include "first_weights.h"
#include "pretrain_flags.h"
#include "progress.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--data PATH [options]",
    "Trains all weights of a Vision Transformer on labelled images, from random weights or from those of --start.\n"
    "This takes hours to days; when it is stopped, the same command continues from --checkpoint.",
    "  pretrain --data cifar10 --epochs 40 --out vit.safetensors\n"
    "  finetune --backbone vit.safetensors --data scans --method lora" };

typedef struct run {
    peft_context *ctx;
    peft_backbone *vit;
    peft_model *model;
    peft_trainer *trainer;
    peft_transform *transform;
    peft_dataset *train, *test;
    peft_loader *loader;
    evaluator evaluator;
    progress progress;
} run;

/* The transform to the size of the backbone's images, with the augmentation of the flags. */
static void make_transform(run *r)
{
    char text[512], size[SIDES_TEXT];
    const char *jitter_range = given[jitter].value;
    snprintf(text, sizeof text, "size=%s,%s,flip=0.5,pad=%s,brightness=%s,contrast=%s,saturation=%s,erase=%s",
             sides_text(size, backbone_sides(r->vit)), given[preprocess].value, given[pad].value, jitter_range,
             jitter_range, jitter_range, given[erase].value);
    must(peft_transform_parse(r->ctx, text, &r->transform));
}

/* Makes a random backbone, or loads --start, and adds a new head. All weights are trainable. */
static void make_model(run *r)
{
    peft_adapter *full;
    const char *start_file = given[start].value;
    peft_options *o = options_from_text(r->ctx, start_file ? NULL : given[model].value);
    must(peft_options_set_int(o, "seed", flag_integer(&given[seed])));
    if (start_file)
        r->vit = load_backbone(r->ctx, start_file, parse_sides(given[image_size].value, "--image-size"), NULL);
    else must(peft_backbone_create(r->ctx, o, &r->vit));
    peft_options_free(o);
    must(peft_adapter_create(r->vit, "full", NULL, &full));
    o = empty_options(r->ctx);
    must(peft_options_set_int(o, "classes", peft_dataset_classes(r->train)));
    must(peft_model_create(r->vit, o, &r->model));
    peft_options_free(o);
    must(peft_model_attach(r->model, full));
    peft_adapter_free(full);
    if (!start_file) init_mimetic(r->model);
}

/* Turns weight decay off for biases, norms, tokens and position embeddings. */
static void exempt_vectors(run *r)
{
    const double lr_factor = 1, weight_decay_off = 0;
    for (size_t i = 0; i < peft_model_param_count(r->model); i++) {
        peft_param *p = peft_model_param(r->model, i);
        const char *name = peft_param_name(p);
        if (peft_tensor_ndim(peft_param_value(p)) == 1 || strstr(name, "_token") || !strcmp(name, "pos_embed"))
            must(peft_trainer_group(r->trainer, name, lr_factor, weight_decay_off));
    }
}

/* Makes loader and trainer. Mixup blends labels, which needs the loss of soft labels. */
static void make_trainer(run *r)
{
    const long long cache_bytes = 1ll << 30;                  /* of decoded images */
    char text[256];
    const bool soft_labels = strtod(given[mixup].value, NULL) > 0;
    snprintf(text, sizeof text, "batch=%s,seed=%s,mixup=%s,shuffle=true,drop_last=true,train=true,cache=%lld",
             given[batch].value, given[seed].value, given[mixup].value, cache_bytes);
    must(peft_loader_create(r->train, r->transform, text, &r->loader));
    const int64_t n = flag_whole(&given[accumulate], 1, INT64_MAX);
    r->progress.epochs = flag_integer(&given[epochs]);
    r->progress.updates_per_epoch = (peft_loader_batches(r->loader) + n - 1) / n;    /* rounded up */
    peft_options *o = options_from_text(r->ctx, soft_labels ? "loss=soft_ce,schedule=warmup_cosine"
                                                       : "schedule=warmup_cosine");
    for (int i = batch; i <= clip_norm; i++) must(peft_options_set_string(o, given[i].name, given[i].value));
    must(peft_options_set_int(o, "steps", r->progress.epochs * r->progress.updates_per_epoch));
    must(peft_options_set_int(o, "warmup", flag_integer(&given[warmup]) * r->progress.updates_per_epoch));
    must(peft_trainer_create(r->model, o, &r->trainer));
    peft_options_free(o);
    exempt_vectors(r);
}

static int64_t next_batch(int64_t epoch, int64_t i, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    run *r = user;
    (void)ids;
    return peft_loader_next(epoch, i, images, labels, NULL, r->loader);
}

/* Called after each update. A result other than 0 stops the training. */
static int after_update(peft_trainer *t, void *user)
{
    run *r = user;
    int64_t every = flag_integer(&given[save_every]);
    progress_update(&r->progress, t);
    if (every && (int64_t)peft_trainer_get(t, "step") % every == 0) must(peft_trainer_save(t, given[checkpoint].value));
    return stop_requested;
}

static void train_epochs(run *r)
{
    peft_trainer *t = r->trainer;
    for (int64_t e = (int64_t)peft_trainer_get(t, "epoch"); e < r->progress.epochs; e++) {
        peft_status s = peft_trainer_fit(t, e + 1, next_batch, after_update, r);
        if (s && !(stop_requested && s == PEFT_E_CANCELLED)) must(s);
        must(peft_trainer_save(t, given[checkpoint].value));
        if (s) fail("stopped after update %.0f, epoch %lld; the same command continues from %s",
                    peft_trainer_get(t, "step"), (long long)e + 1, given[checkpoint].value);
        progress_epoch(&r->progress, t, test_accuracy(&r->evaluator));
    }
}

/* Stores the preprocessing (without augmentation) and the class names with the network. */
static void add_notes(const run *r)
{
    peft_transform *inference;
    char *names = class_name_lines(r->train);
    must(peft_transform_parse_over(r->ctx, peft_transform_text(r->transform), no_augmentation, &inference));
    must(peft_model_set_note(r->model, "preprocess", peft_transform_text(inference)));
    must(peft_model_set_note(r->model, "class_names", names));
    peft_transform_free(inference);
    free(names);
}

/* Trains, from the checkpoint if it exists, and writes --out. */
static void pretrain(run *r)
{
    peft_backbone *trained;
    make_model(r);
    make_transform(r);
    make_trainer(r);
    r->evaluator = open_evaluator(r->ctx, r->model, r->test, r->transform);
    printf("%lld training and %lld test images of %lld classes, %lld parameters, %lld updates an epoch, %.0f MiB\n",
           (long long)peft_dataset_count(r->train), (long long)peft_dataset_count(r->test),
           (long long)peft_dataset_classes(r->train), (long long)peft_model_trainable_count(r->model),
           (long long)r->progress.updates_per_epoch, peft_trainer_get(r->trainer, "planned_bytes") / (1 << 20));
    if (!access(given[checkpoint].value, F_OK)) {
        must(peft_trainer_restore(r->trainer, given[checkpoint].value));
        printf("continuing from %s: update %.0f of %lld\n", given[checkpoint].value,
               peft_trainer_get(r->trainer, "step"), (long long)(r->progress.epochs * r->progress.updates_per_epoch));
    }
    fflush(stdout);
    r->progress.curve = given[curve].value;
    progress_begin(&r->progress);
    watch_signals();
    train_epochs(r);
    add_notes(r);
    must(peft_model_merge(r->model, &trained));
    must(peft_backbone_save(trained, given[out].value));
    peft_backbone_free(trained);
    printf("%-22s %.4f\n%-22s %s\n", "test_accuracy", test_accuracy(&r->evaluator), "written", given[out].value);
}

/* --evaluate: prints the test accuracy of a network. */
static void evaluate_file(run *r)
{
    r->vit = load_backbone(r->ctx, given[evaluate].value, STORED_IMAGE_SIZE, NULL);
    must(peft_model_create(r->vit, NULL, &r->model));
    if (peft_model_classes(r->model) != peft_dataset_classes(r->test))
        fail("--evaluate %s: the network has %lld classes, but the test images have %lld; give the data it was trained "
             "on", given[evaluate].value,
             (long long)peft_model_classes(r->model), (long long)peft_dataset_classes(r->test));
    make_transform(r);
    r->evaluator = open_evaluator(r->ctx, r->model, r->test, r->transform);
    printf("%-22s %lld\n%-22s %.4f\n", "test_images", (long long)peft_dataset_count(r->test), "test_accuracy",
           test_accuracy(&r->evaluator));
}

/* Checks the paths of --out, --checkpoint and --curve, of which only --out must not exist. */
static void check_files(void)
{
    const int outputs[] = { out, checkpoint, curve };
    const input_files in = { .backbone = given[start].value };
    const char *paths[6] = { given[start].value, given[data].value, given[test].value };
    for (int i = 0, count = 3; i < 3; i++) {
        const flag *f = &given[outputs[i]];
        if (!f->value) continue;
        check_output(f->name, f->value, outputs[i] != out || given[force].value, paths, count);
        check_not_input(f->name, f->value, &in);
        paths[count++] = f->value;
    }
}

int main(int argc, char **argv)
{
    program_name = "pretrain";
    int first = read_flags(given, flags, &about, argc, argv);
    if (first < argc) fail("'%s' is not an option; expected --name value, see --help", argv[first]);
    if (!given[data].value) fail("--data is required; see --help");
    const int counts[] = { epochs, batch, accumulate };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) (void)flag_whole(&given[counts[i]], 1, INT64_MAX);
    if (!given[evaluate].value) check_files();
    run r = { .ctx = make_context() };
    must(peft_context_set_threads(r.ctx, (int)flag_integer(&given[threads])));
    must(peft_context_set_seed(r.ctx, (uint64_t)flag_integer(&given[seed])));
    const data_request q = { DATA_REQUEST, .shots = flag_integer(&given[shots]),
                             .tests = flag_integer(&given[test_per_class]),
                             .seed = (uint64_t)flag_integer(&given[seed]) };
    draw_sets(r.ctx, &q, &r.train, &r.test);
    print_patients(r.train, NULL, r.test);
    check_test_classes(r.test);
    if (peft_dataset_multilabel(r.train)) fail("--data %s: has several labels per image, expected one",
                                               given[data].value);
    if (given[evaluate].value) evaluate_file(&r);
    else pretrain(&r);
    close_evaluator(&r.evaluator);
    peft_trainer_free(r.trainer);
    peft_model_free(r.model);
    peft_backbone_free(r.vit);
    peft_loader_free(r.loader);
    peft_transform_free(r.transform);
    peft_dataset_free(r.train);
    peft_dataset_free(r.test);
    peft_context_free(r.ctx);
    return 0;
}
