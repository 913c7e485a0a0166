/* SPDX-License-Identifier: Apache-2.0
 * large_batch.c -- trains LoRA on a folder of pictures with batches of 8 to 128 and prints the accuracy of each run as
 * CSV: ways to train x batches x seeds (docs/optimisers.md). A batch is divided over ranks, threads of this process
 * with 8 images each, whose gradients a reducer adds.
 *   large_batch BACKBONE SIDE FOLDER SEEDS EPOCHS RATE [WAY BATCH]
 * SIDE: of the images; RATE: for a batch of 8, a batch of B has RATE * B / 8; WAY and BATCH: only this one. */
#include <peft/peft.h>
#include <peft/io.h>
#include <stdio.h>
#include "../parallel/ordered_sum.h"

enum { PART = 8, RANKS_MAX = SUM_RANKS_MAX, MOST = 4096 };
#define TRY(call) do { if (call) { fprintf(stderr, "large_batch: %s\n", peft_last_error()); exit(1); } } while (0)

/* name: of the way; options: of the trainer, in which %g is the rate of a batch of 8; local: post-local SGD. */
static const struct { const char *name, *options; int local; } ways[] = {
    { "sgd", "", 0 }, { "nesterov", ",nesterov=true", 0 },
    { "gradient", ",nesterov=true,extrapolate=gradient,extrapolate_lr=%g", 0 },
    { "momentum", ",nesterov=true,extrapolate=momentum,extrapolate_lr=%g", 0 },
    { "noise", ",nesterov=true,extrapolate=noise,extrapolate_lr=%g", 0 },
    { "post-local", ",nesterov=true", 1 } };
enum { WAYS = sizeof ways / sizeof *ways };

/* All images of the folder; those with an even number are for training, the others are test images. */
typedef struct data { peft_tensor *images, *labels; int64_t count, elements, classes; } data;

/* What the ranks of a run share. */
typedef struct run {
    ordered_sum gradients;
    const data *d;
    const char *backbone, *side, *options;
    int ranks, epochs, seed;
    double accuracy;
} run;
typedef struct rank { run *r; int number; member view; } rank;       /* view: of r->gradients */

/* A permutation of the n training images for an epoch. */
static void shuffle(int *order, int n, unsigned seed)
{
    for (int i = 0; i < n; i++) order[i] = 2 * i;
    for (int i = n - 1; i > 0; i--) {
        seed = seed * 1664525u + 1013904223u;
        const int j = (int)((seed >> 8) % (unsigned)(i + 1)), x = order[i];
        order[i] = order[j];
        order[j] = x;
    }
}

/* The backbone with images of the side of argument SIDE. */
static peft_backbone *load_backbone(peft_context *ctx, const char *path, const char *side)
{
    peft_options *o;
    peft_backbone *vit;
    TRY(peft_options_create(ctx, &o));
    TRY(peft_options_set_string(o, "image_size", side));
    TRY(peft_backbone_load(ctx, path, o, &vit));
    peft_options_free(o);
    return vit;
}

/* The share of test images that the trainer's model classifies rightly. */
static double accuracy(peft_trainer *t, peft_context *ctx, const data *d)
{
    int64_t side = peft_tensor_dim(d->images, 2), right = 0, total = 0;
    peft_tensor *image, *logits;
    TRY(peft_tensor_create(ctx, PEFT_F32, 4, (int64_t[]){ 1, 3, side, side }, &image));
    TRY(peft_tensor_create(ctx, PEFT_F32, 2, (int64_t[]){ 1, d->classes }, &logits));
    for (int64_t i = 1; i < d->count; i += 2, total++) {
        memcpy(peft_tensor_data(image), (float *)peft_tensor_data(d->images) + i * d->elements,
               (size_t)d->elements * sizeof(float));
        TRY(peft_trainer_evaluate(t, image, logits));
        const float *x = peft_tensor_data(logits);
        int64_t best = 0;
        for (int64_t c = 1; c < d->classes; c++) if (x[c] > x[best]) best = c;
        right += best == ((int64_t *)peft_tensor_data(d->labels))[i];
    }
    peft_tensor_free(image);
    peft_tensor_free(logits);
    return (double)right / (double)total;
}

static void *train(void *user)
{
    rank *k = user;
    run *r = k->r;
    const data *d = r->d;
    const int n = (int)(d->count / 2), batch = PART * r->ranks;
    static _Thread_local int order[MOST];
    peft_context *ctx;
    peft_options *o;
    peft_backbone *vit;
    peft_model *m;
    peft_adapter *lora;
    peft_trainer *t;
    peft_tensor *images, *labels;
    const int64_t side = peft_tensor_dim(d->images, 2);
    char head[32];
    TRY(peft_context_create(NULL, NULL, NULL, &ctx));
    TRY(peft_context_set_threads(ctx, 1));
    TRY(peft_context_set_seed(ctx, (uint64_t)r->seed));
    vit = load_backbone(ctx, r->backbone, r->side);
    snprintf(head, sizeof head, "classes=%d", (int)d->classes);
    TRY(peft_options_create(ctx, &o));
    TRY(peft_options_parse(o, head));
    TRY(peft_model_create(vit, o, &m));
    TRY(peft_adapter_create(vit, "lora", NULL, &lora));
    TRY(peft_model_attach(m, lora));
    peft_options_free(o);
    TRY(peft_options_create(ctx, &o));
    TRY(peft_options_parse(o, r->options));
    TRY(peft_trainer_create(m, o, &t));
    TRY(peft_trainer_set_reduce(t, k->number, r->ranks, add_in_order, &k->view));
    TRY(peft_tensor_create(ctx, PEFT_F32, 4, (int64_t[]){ PART, 3, side, side }, &images));
    TRY(peft_tensor_create(ctx, PEFT_I64, 1, (int64_t[]){ PART }, &labels));
    for (int e = 0; e < r->epochs; e++) {
        shuffle(order, n, (unsigned)(r->seed * 1000 + e));
        for (int first = 0; first + batch <= n; first += batch) {
            for (int i = 0; i < PART; i++) {
                const int64_t s = order[first + k->number * PART + i];
                memcpy((float *)peft_tensor_data(images) + i * d->elements,
                       (float *)peft_tensor_data(d->images) + s * d->elements, (size_t)d->elements * sizeof(float));
                ((int64_t *)peft_tensor_data(labels))[i] = ((int64_t *)peft_tensor_data(d->labels))[s];
            }
            TRY(peft_trainer_step(t, images, labels, NULL));
        }
    }
    if (!k->number) r->accuracy = accuracy(t, ctx, d);
    peft_tensor_free(images);
    peft_tensor_free(labels);
    peft_trainer_free(t);
    peft_model_free(m);
    peft_adapter_free(lora);
    peft_backbone_free(vit);
    peft_options_free(o);
    peft_context_free(ctx);
    return NULL;
}

/* The accuracy of one run. rate: of a batch of 8. */
static double run_of(const char *const *argument, const data *d, int way, int ranks, int seed)
{
    char more[160], options[400];
    const double rate = atof(argument[6]);
    const int epochs = atoi(argument[5]), local = 4, updates = epochs * (int)(d->count / 2 / (PART * ranks));
    run r = { .gradients = { .ranks = ranks }, .d = d, .backbone = argument[1], .side = argument[2], .options = options,
              .ranks = ranks, .epochs = epochs, .seed = seed };
    rank k[RANKS_MAX];
    pthread_t thread[RANKS_MAX];
    snprintf(more, sizeof more, ways[way].options, rate);
    int n = snprintf(options, sizeof options, "batch=%d,optimizer=sgd,lr=%g,schedule=warmup_cosine,steps=%d,"
                     "warmup=%d%s", PART, rate * ranks, updates, updates / 10, more);
    if (ways[way].local)               /* from the middle; the last update is followed by an averaging */
        snprintf(options + n, sizeof options - (size_t)n, ",local_steps=%d,local_from=%d", local,
                 updates - updates / 2 / local * local);
    pthread_barrier_init(&r.gradients.meet, NULL, (unsigned)ranks);
    for (int i = 0; i < ranks; i++) {
        k[i] = (rank){ &r, i, { &r.gradients, i } };
        pthread_create(&thread[i], NULL, train, &k[i]);
    }
    for (int i = 0; i < ranks; i++) pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&r.gradients.meet);
    free(r.gradients.sum);
    return r.accuracy;
}

static data load(peft_context *ctx, const char *const *argument)
{
    data d = { 0 };
    peft_dataset *set;
    peft_backbone *vit = load_backbone(ctx, argument[1], argument[2]);
    peft_transform *transform;
    peft_loader *loader;
    char text[64], size[32];
    TRY(peft_dataset_open_folder(ctx, argument[3], NULL, &set));
    snprintf(size, sizeof size, "size=%d", (int)peft_backbone_get(vit, "image_size"));
    TRY(peft_transform_parse_over(ctx, peft_backbone_note(vit, "preprocess"), size, &transform));
    d.count = peft_dataset_count(set);
    d.classes = peft_dataset_classes(set);
    snprintf(text, sizeof text, "batch=%d,shuffle=false", (int)d.count);
    TRY(peft_loader_create(set, transform, text, &loader));
    const int64_t side = peft_transform_size(transform);
    d.elements = 3 * side * side;
    TRY(peft_tensor_create(ctx, PEFT_F32, 4, (int64_t[]){ d.count, 3, side, side }, &d.images));
    TRY(peft_tensor_create(ctx, PEFT_I64, 1, (int64_t[]){ d.count }, &d.labels));
    int64_t count;
    TRY(peft_loader_read(loader, 0, 0, d.images, d.labels, NULL, &count));
    peft_loader_free(loader);
    peft_transform_free(transform);
    peft_backbone_free(vit);
    peft_dataset_free(set);
    return d;
}

int main(int argc, char **argv)
{
    const char *const *argument = (const char *const *)argv;
    static const int batches[] = { 8, 32, 128 };
    if (argc != 7 && argc != 9)
        return fprintf(stderr, "usage: large_batch BACKBONE SIDE FOLDER SEEDS EPOCHS RATE [WAY BATCH]\n"), 2;
    peft_context *ctx;
    TRY(peft_context_create(NULL, NULL, NULL, &ctx));
    const data d = load(ctx, argument);
    if (d.count / 2 > MOST) return fprintf(stderr, "large_batch: more than %d training images\n", MOST), 2;
    printf("way,batch,seed,accuracy\n");
    for (int seed = 1; seed <= atoi(argument[4]); seed++)
        for (size_t b = 0; b < sizeof batches / sizeof *batches; b++)
            for (int w = 0; w < WAYS; w++) {
                const int ranks = batches[b] / PART;
                if (ranks == 1 && ways[w].local) continue;
                if (argc == 9 && (strcmp(argument[7], ways[w].name) || atoi(argument[8]) != batches[b])) continue;
                printf("%s,%d,%d,%.4f\n", ways[w].name, batches[b], seed,
                       run_of(argument, &d, w, ranks, seed));
                fflush(stdout);
            }
    peft_tensor_free(d.images);
    peft_tensor_free(d.labels);
    peft_context_free(ctx);
    return 0;
}
