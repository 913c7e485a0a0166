/* SPDX-License-Identifier: Apache-2.0
 * finetune.c -- trains one method on a data set, judges it on held-out images, and writes a model file for predict. */
#include "common.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Those from batch to clip_norm are options of peft_trainer_create and go there as they are. */
#define FLAGS(X) \
    X(backbone, "FILE", NULL, "pretrained Vision Transformer (safetensors); needed") \
    X(data, "PATH", NULL, "folder of class folders, MedMNIST .npz, or list file; needed") \
    X(test, "PATH", NULL, "test images; else the split \"test\" of --data, else what training leaves") \
    X(method, "NAME", "ept", "see inspect --methods") \
    X(options, "LIST", NULL, "name=value,... of the method") \
    X(head, "LIST", NULL, "of the model: head, head_init, head_layers, pool") \
    X(shots, "N", "0", "training images a class, drawn by the seed (0: all)") \
    X(test_per_class, "N", "0", "test images a class, drawn by the seed (0: all)") \
    X(seed, "N", "1", "of the draw, the initial values and the order") \
    X(epochs, "N", "20", "passes through the training images") \
    X(batch, "N", "4", "images a step") \
    X(lr, "RATE", "1e-3", "largest learning rate") \
    X(weight_decay, "RATE", "0.01", "of every trained tensor") \
    X(optimizer, "NAME", "adamw", "adamw or sgd") \
    X(schedule, "NAME", "cosine", "constant, cosine, warmup_cosine, warmup_cosine_full_period, step") \
    X(warmup, "N", NULL, "steps") \
    X(loss, "NAME", NULL, "ce, bce, bce_sum; else what the labels ask for") \
    X(clip_norm, "NORM", NULL, "bound of the norm of all gradients") \
    X(trainer, "LIST", NULL, "more options of peft_trainer_create") \
    X(image_size, "N", NULL, "side in pixels; else the backbone's") \
    X(preprocess, "LIST", "mean=0.485:0.456:0.406,std=0.229:0.224:0.225,flip=0.5", "see peft_transform_parse") \
    X(threads, "N", "0", "0: all cores") \
    X(state, "FILE", NULL, "training state, written after each epoch and on Ctrl-C") \
    X(resume, NULL, NULL, "go on from --state") \
    X(out, "FILE", "adapter.safetensors", "the trained model: adapter, head, preprocessing, class names")
#define AS_ID(name, argument, value, help) name,
#define AS_ROW(name, argument, value, help) { #name, argument, value, help },
enum { FLAGS(AS_ID) flags };
static flag given[] = { FLAGS(AS_ROW) };

static volatile sig_atomic_t interrupted;
static void on_interrupt(int number) { (void)number; interrupted = 1; }

typedef struct run {
    peft_context *ctx;
    peft_backbone *vit;
    peft_model *model;
    peft_trainer *trainer;
    peft_transform *transform;
    peft_dataset *train, *test;
    peft_loader *loader;
    int64_t epochs, images, batches;                          /* images and batches in an epoch */
    bool bar;
    int64_t steps, epoch_steps;                               /* of this run, of this epoch in this run */
    double start, epoch_start, epoch_loss;
    double planned;                                           /* bytes held before training, and the trainer's */
} run;

static void build(run *r)
{
    char text[512];
    peft_adapter *adapter;
    must(peft_context_create(NULL, NULL, NULL, &r->ctx));
    must(peft_context_set_threads(r->ctx, (int)flag_count(&given[threads])));
    must(peft_context_set_seed(r->ctx, (uint64_t)flag_count(&given[seed])));
    peft_options *o = options_from(r->ctx, NULL);
    if (given[image_size].value) must(peft_options_set_int(o, "image_size", flag_count(&given[image_size])));
    must(peft_backbone_load(r->ctx, given[backbone].value, o, &r->vit));
    peft_options_free(o);

    snprintf(text, sizeof text, "size=%lld,%s", (long long)peft_backbone_get(r->vit, "image_size"),
             given[preprocess].value);
    must(peft_transform_parse(text, &r->transform));
    snprintf(text, sizeof text, "batch=%s,seed=%s,shuffle=true,train=true,threads=1", given[batch].value,
             given[seed].value);
    must(peft_loader_create(r->train, r->transform, text, &r->loader));
    r->images = peft_dataset_count(r->train);
    r->batches = peft_loader_batches(r->loader);
    r->epochs = flag_count(&given[epochs]);

    o = options_from(r->ctx, given[options].value);
    must(peft_adapter_create(r->vit, given[method].value, o, &adapter));
    peft_options_free(o);
    o = options_from(r->ctx, given[head].value);
    must(peft_options_set_int(o, "classes", peft_dataset_classes(r->train)));
    must(peft_model_create(r->vit, o, &r->model));
    peft_options_free(o);
    must(peft_model_attach(r->model, adapter));
    peft_adapter_free(adapter);

    o = options_from(r->ctx, given[trainer].value);
    if (!given[loss].value) given[loss].value = peft_dataset_multilabel(r->train) ? "bce" : "ce";
    for (int i = batch; i <= clip_norm; i++)
        if (given[i].value) must(peft_options_set_string(o, given[i].name, given[i].value));
    must(peft_options_set_int(o, "steps", r->epochs * r->batches));
    r->planned = (double)peft_context_memory_used(r->ctx);
    must(peft_trainer_create(r->model, o, &r->trainer));
    r->planned += peft_trainer_get(r->trainer, "planned_bytes");
    peft_options_free(o);
}

static int64_t next_batch(int64_t i, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    run *r = user;
    int64_t epoch = (int64_t)peft_trainer_get(r->trainer, "epoch"), n;
    return peft_loader_read(r->loader, epoch, i, images, labels, ids, &n) ? -1 : n;
}

/* Where training stands is told by the samples seen: the epoch's last update may come after its last batch. */
static int show_progress(const peft_trainer *t, void *user)
{
    run *r = user;
    int64_t seen = (int64_t)peft_trainer_get(t, "samples") - 1, epoch = seen / r->images + 1;
    int64_t b = seen % r->images / peft_loader_batch_size(r->loader) + 1;
    double loss_now = peft_trainer_get(t, "loss");
    r->steps++;
    r->epoch_steps++;
    r->epoch_loss += loss_now;
    if (r->bar)
        fprintf(stderr, "\r[%-30.*s] epoch %lld/%lld, loss %.4f ", (int)(30 * b / r->batches),
                "##############################", (long long)epoch, (long long)r->epochs, loss_now);
    if (b < r->batches) return interrupted;
    if (r->bar) fprintf(stderr, "\r%70s\r", "");
    printf("epoch %lld/%lld  loss %.5f  lr %.3e  %.2f s\n", (long long)epoch, (long long)r->epochs,
           r->epoch_loss / (double)r->epoch_steps, peft_trainer_get(t, "lr"), seconds_now() - r->epoch_start);
    fflush(stdout);
    r->epoch_steps = 0;
    r->epoch_loss = 0;
    r->epoch_start = seconds_now();
    if (given[state].value) must(peft_trainer_save(t, given[state].value));
    return interrupted;
}

static void train_model(run *r)
{
    if (given[resume].value) must(peft_trainer_restore(r->trainer, given[state].value));
    r->start = r->epoch_start = seconds_now();
    signal(SIGINT, on_interrupt);
    peft_status s = peft_trainer_fit(r->trainer, r->epochs, next_batch, show_progress, r);
    if (interrupted && s == PEFT_E_CANCELLED) {
        if (given[state].value) must(peft_trainer_save(r->trainer, given[state].value));
        fail("stopped after step %.0f%s%s", peft_trainer_get(r->trainer, "step"),
             given[state].value ? "; --resume goes on from " : "; nothing was kept, as --state is not given",
             given[state].value ? given[state].value : "");
    }
    must(s);
}

static void report(run *r)
{
    const double mib = 1024.0 * 1024.0;
    double seconds = (seconds_now() - r->start) / (double)(r->steps ? r->steps : 1);
    size_t peak = peft_context_memory_peak(r->ctx);
    peft_session *s;
    must(peft_session_create(r->model, NULL, &s));
    print_figures(r->ctx, s, r->test, r->transform);
    printf("%-22s %lld\n", "trainable_parameters", (long long)peft_model_trainable_count(r->model));
    printf("%-22s %.4f\n", "seconds_per_step", seconds);
    printf("%-22s %.2f\n", "planned_mib", r->planned / mib);
    printf("%-22s %.2f\n", "peak_mib", (double)peak / mib);
    peft_session_free(s);

    char *names = class_names(r->train);
    must(peft_model_set_note(r->model, "preprocess", peft_transform_text(r->transform)));
    must(peft_model_set_note(r->model, "class_names", names));
    must(peft_model_set_note(r->model, "link", peft_dataset_multilabel(r->train) ? "sigmoid" : "softmax"));
    must(peft_model_save(r->model, given[out].value));
    printf("%-22s %s\n", "written", given[out].value);
    free(names);
}

int main(int argc, char **argv)
{
    program_name = "finetune";
    if (read_flags(given, flags, "--backbone FILE --data PATH [options]", argc, argv) < argc)
        fail("'%s' is no option; see --help", argv[argc - 1]);
    if (!given[backbone].value || !given[data].value) fail("--backbone and --data are needed; see --help");
    if (given[resume].value && !given[state].value) fail("--resume needs --state");
    run r = { .bar = isatty(STDERR_FILENO) };
    draw_sets(given[data].value, given[test].value, flag_count(&given[shots]), flag_count(&given[test_per_class]),
              (uint64_t)flag_count(&given[seed]), &r.train, &r.test);
    build(&r);
    train_model(&r);
    report(&r);
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
