/* SPDX-License-Identifier: Apache-2.0
 * finetune.c -- trains one method on a data set, judges it on held-out images, and writes a model file for predict. */
#include "recipe.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FLAGS(X) \
    X(backbone, "FILE", NULL, "pretrained Vision Transformer (safetensors); needed") \
    X(data, "PATH", NULL, "folder of class folders, MedMNIST .npz, or list file; needed") \
    X(test, "PATH", NULL, "test images; else the split \"test\" of --data, else what training leaves") \
    X(shots, "N", "0", "training images a class, drawn by the seed (0: all)") \
    X(test_per_class, "N", "0", "test images a class, drawn by the seed (0: all)") \
    X(seed, "N", "1", "of the draw, the initial values and the order") \
    X(threads, "N", "0", "0: all cores") \
    X(state, "FILE", NULL, "training state, written after each epoch and on Ctrl-C") \
    X(resume, NULL, NULL, "go on from --state") \
    X(out, "FILE", "adapter.safetensors", "the trained model: adapter, head, preprocessing, class names")
#define AS_ID(name, argument, value, help) name,
enum { FLAGS(AS_ID) own_flags, flags = own_flags + recipe_flags };
static flag given[] = { FLAGS(RECIPE_ROW) RECIPE_FLAGS(RECIPE_ROW) };

static volatile sig_atomic_t interrupted;
static void on_interrupt(int number) { (void)number; interrupted = 1; }

typedef struct run {
    trial t;
    peft_dataset *test;
    int64_t images, batches;                                  /* in an epoch */
    bool bar;
    int64_t steps, epoch_steps;                               /* of this run, of this epoch in this run */
    double start, epoch_start, epoch_loss;
} run;

static int64_t next_batch(int64_t epoch, int64_t batch, peft_tensor *images, peft_tensor *labels, int64_t *ids,
                          void *user)
{
    run *r = user;
    return peft_loader_next(epoch, batch, images, labels, ids, r->t.loader);
}

/* Where training stands is told by the samples seen: the epoch's last update may come after its last batch. */
static int show_progress(const peft_trainer *t, void *user)
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
    if (b < r->batches) return interrupted;
    if (r->bar) fprintf(stderr, "\r%70s\r", "");
    printf("epoch %lld/%lld  loss %.5f  lr %.3e  %.2f s\n", (long long)epoch, (long long)r->t.epochs,
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
    if (given[resume].value) must(peft_trainer_restore(r->t.trainer, given[state].value));
    r->start = r->epoch_start = seconds_now();
    signal(SIGINT, on_interrupt);
    peft_status s = peft_trainer_fit(r->t.trainer, r->t.epochs, next_batch, show_progress, r);
    if (interrupted && s == PEFT_E_CANCELLED) {
        if (given[state].value) must(peft_trainer_save(r->t.trainer, given[state].value));
        fail("stopped after step %.0f%s%s", peft_trainer_get(r->t.trainer, "step"),
             given[state].value ? "; --resume goes on from " : "; nothing was kept, as --state is not given",
             given[state].value ? given[state].value : "");
    }
    must(s);
}

static void report(run *r)
{
    const double mib = 1024.0 * 1024.0;
    double seconds = (seconds_now() - r->start) / (double)(r->steps ? r->steps : 1);
    size_t peak = peft_context_memory_peak(r->t.ctx);
    peft_session *s;
    must(peft_session_create(r->t.model, NULL, &s));
    print_figures(r->t.ctx, s, r->test, r->t.transform);
    printf("%-22s %lld\n", "trainable_parameters", (long long)peft_model_trainable_count(r->t.model));
    printf("%-22s %.4f\n", "seconds_per_step", seconds);
    printf("%-22s %.2f\n", "planned_mib", r->t.planned / mib);
    printf("%-22s %.2f\n", "peak_mib", (double)peak / mib);
    peft_session_free(s);

    char *names = class_names(r->t.train);
    must(peft_model_set_note(r->t.model, "preprocess", peft_transform_text(r->t.transform)));
    must(peft_model_set_note(r->t.model, "class_names", names));
    must(peft_model_set_note(r->t.model, "link", peft_dataset_multilabel(r->t.train) ? "sigmoid" : "softmax"));
    must(peft_model_save(r->t.model, given[out].value));
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
    r.t = (trial){ .backbone = given[backbone].value, .seed = (uint64_t)flag_count(&given[seed]),
                   .threads = (int)flag_count(&given[threads]), .loader_threads = 1 };
    draw_sets(given[data].value, given[test].value, flag_count(&given[shots]), flag_count(&given[test_per_class]),
              r.t.seed, &r.t.train, &r.test);
    build_trial(&r.t, given + own_flags);
    r.images = peft_dataset_count(r.t.train);
    r.batches = peft_loader_batches(r.t.loader);
    train_model(&r);
    report(&r);
    free_trial(&r.t);
    peft_dataset_free(r.t.train);
    peft_dataset_free(r.test);
    return 0;
}
